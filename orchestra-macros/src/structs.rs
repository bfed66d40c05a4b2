//! `#[wire] struct`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::{DeriveInput, Expr, Ident, LitStr, Result, Type};

use crate::names::camel;

/// How the whole struct is treated.
#[derive(Default)]
struct StructOptions {
    spec: bool,
    atomic: bool,
    unsupported: Vec<LitStr>,
}

impl StructOptions {
    fn parse(attributes: TokenStream) -> Result<Self> {
        let mut options = Self::default();
        let parser = syn::meta::parser(|meta| {
            if meta.path.is_ident("spec") {
                options.spec = true;
            } else if meta.path.is_ident("atomic") {
                options.atomic = true;
            } else if meta.path.is_ident("unsupported") {
                let content;
                syn::parenthesized!(content in meta.input);
                options.unsupported =
                    content.parse_terminated(|s| s.parse::<LitStr>(), syn::Token![,])?.into_iter().collect();
            } else {
                return Err(meta.error("expected `spec`, `atomic` or `unsupported(…)`"));
            }
            Ok(())
        });
        parser.parse2(attributes)?;
        Ok(options)
    }
}

/// One field, as the tables need it.
struct Field {
    ident: Ident,
    ty: Type,
    docs: Vec<syn::Attribute>,
    wire: String,
    default: Option<Expr>,
    required: bool,
    inline: bool,
    merge: TokenStream,
}

impl Field {
    fn parse(field: &mut syn::Field) -> Result<Self> {
        let Some(ident) = field.ident.clone() else {
            return Err(syn::Error::new_spanned(field, "a tuple struct has no wire form"));
        };
        let mut parsed = Self {
            wire: camel(&ident.to_string()),
            ident,
            ty: field.ty.clone(),
            docs: field.attrs.iter().filter(|a| a.path().is_ident("doc")).cloned().collect(),
            default: None,
            required: false,
            inline: false,
            merge: quote!(Granular),
        };
        for attribute in field.attrs.iter().filter(|a| a.path().is_ident("wire")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("name") {
                    parsed.wire = meta.value()?.parse::<LitStr>()?.value();
                } else if meta.path.is_ident("default") {
                    parsed.default = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("required") {
                    parsed.required = true;
                } else if meta.path.is_ident("inline") {
                    parsed.inline = true;
                } else if meta.path.is_ident("atomic") {
                    parsed.merge = quote!(Atomic);
                } else if meta.path.is_ident("set") {
                    parsed.merge = quote!(Set);
                } else if meta.path.is_ident("keys") {
                    let content;
                    syn::parenthesized!(content in meta.input);
                    let keys = content.parse_terminated(Ident::parse_any, syn::Token![,])?;
                    let keys = keys.iter().map(|key| key.to_string().trim_start_matches("r#").to_string());
                    parsed.merge = quote!(Keyed(&[#(#keys),*]));
                } else {
                    return Err(meta.error("not an option of a field"));
                }
                Ok(())
            })?;
        }
        field.attrs.retain(|a| !a.path().is_ident("wire"));
        Ok(parsed)
    }

    /// The field's value in a fresh struct.
    fn default(&self) -> TokenStream {
        match &self.default {
            // A long one is made once and shared, where a short one needs no memory of its own.
            Some(Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. })) if text.value().len() > 15 => {
                quote!({
                    static TEXT: ::std::sync::LazyLock<crate::object::Str> =
                        ::std::sync::LazyLock::new(|| ::core::convert::From::from(#text));
                    TEXT.clone()
                })
            }
            Some(Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. })) => {
                quote!(::core::convert::From::from(#text))
            }
            Some(expr) => quote!(#expr),
            None => quote!(::core::default::Default::default()),
        }
    }

    /// Whether the field is written however empty it is.
    fn always_written(&self) -> bool {
        self.required || self.default.is_some()
    }
}

pub(crate) fn expand(attributes: TokenStream, mut input: DeriveInput) -> Result<TokenStream> {
    let options = StructOptions::parse(attributes)?;
    let syn::Data::Struct(data) = &mut input.data else {
        return Err(syn::Error::new_spanned(&input, "expected a struct"));
    };
    let all = data.fields.iter_mut().map(Field::parse).collect::<Result<Vec<_>>>()?;
    let (inline, own): (Vec<_>, Vec<_>) = all.iter().partition(|field| field.inline);
    if inline.len() > 1 {
        return Err(syn::Error::new_spanned(&inline[1].ident, "only one field can be inline"));
    }
    let name = &input.ident;
    let defaults = all.iter().map(|field| {
        let (ident, default) = (&field.ident, field.default());
        quote!(#ident: #default)
    });

    let fields_impl = fields_impl(name, &own, inline.first().copied());
    let schema = schema(name, &options, &own, inline.first().copied());
    let absent = absent(&all);
    let idents = own.iter().map(|field| &field.ident);
    let setters = setters(name, &options, &all);

    Ok(quote! {
        #[derive(Clone, Debug, PartialEq)]
        #input

        impl ::core::default::Default for #name {
            fn default() -> Self {
                Self { #(#defaults),* }
            }
        }

        impl #name {
            /// Begins a description of one: exactly the fields that are set after it.
            #[must_use]
            pub fn apply() -> crate::object::Apply<Self> {
                crate::object::Apply::nothing()
            }
        }

        #fields_impl

        impl crate::object::wire::Wire for #name {
            const SCHEMA: &'static crate::object::schema::Schema = #schema;
            fn is_absent(&self) -> bool {
                #absent
            }
            fn texts(&mut self, see: &mut dyn FnMut(&mut crate::object::Str)) {
                #(crate::object::wire::Wire::texts(&mut self.#idents, see);)*
                let _ = see;
            }
        }

        impl ::serde::Serialize for #name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> ::core::result::Result<S::Ok, S::Error> {
                crate::object::wire::write_struct(self, serializer)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for #name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> ::core::result::Result<Self, D::Error> {
                crate::object::wire::read_struct(deserializer)
            }
        }

        impl crate::object::apply::IntoField<#name> for #name {
            fn into_field(self) -> crate::object::apply::Setting {
                crate::object::apply::whole(&self)
            }
        }

        #setters
    })
}

/// The tables by which a struct is read and written.
fn fields_impl(name: &Ident, own: &[&Field], inline: Option<&Field>) -> TokenStream {
    let names: Vec<_> = own.iter().map(|field| &field.wire).collect();
    let count = own.len();
    let positions = 0..count;
    let positions_again = 0..count;
    let idents = own.iter().map(|field| &field.ident);
    let writes = own.iter().map(|field| {
        let (ident, wire) = (&field.ident, &field.wire);
        let write = quote!(::serde::ser::SerializeStruct::serialize_field(out, #wire, &self.#ident)?;);
        if field.always_written() {
            write
        } else {
            quote!(if !crate::object::wire::Wire::is_absent(&self.#ident) { #write })
        }
    });
    let (all_names, index_rest, read_rest, write_rest) = match inline {
        None => (quote!(&[#(#names),*]), quote!(None), quote!(crate::object::wire::skip(map)), quote!()),
        Some(field) => {
            let (ident, ty) = (&field.ident, &field.ty);
            (
                quote!(&crate::object::wire::concat::<
                    { #count + <#ty as crate::object::wire::Fields>::NAMES.len() },
                >(&[#(#names),*], <#ty as crate::object::wire::Fields>::NAMES)),
                quote!(<#ty as crate::object::wire::Fields>::index(name).map(|index| index + #count)),
                quote!(crate::object::wire::Fields::read(&mut self.#ident, index - #count, map)),
                quote!(crate::object::wire::Fields::write(&self.#ident, out)?;),
            )
        }
    };
    quote! {
        impl crate::object::wire::Fields for #name {
            const NAME: &'static str = stringify!(#name);
            const NAMES: &'static [&'static str] = #all_names;
            fn index(name: &str) -> Option<usize> {
                match name {
                    #(#names => Some(#positions),)*
                    _ => #index_rest,
                }
            }
            fn read<'de, A: ::serde::de::MapAccess<'de>>(
                &mut self,
                index: usize,
                map: &mut A,
            ) -> ::core::result::Result<(), A::Error> {
                match index {
                    #(#positions_again => crate::object::wire::field(&mut self.#idents, map),)*
                    _ => #read_rest,
                }
            }
            fn write<S: ::serde::ser::SerializeStruct>(&self, out: &mut S) -> ::core::result::Result<(), S::Error> {
                #(#writes)*
                #write_rest
                let _ = out;
                Ok(())
            }
        }
    }
}

fn schema(name: &Ident, options: &StructOptions, own: &[&Field], inline: Option<&Field>) -> TokenStream {
    let fields = own.iter().map(|field| {
        let (wire, ty, merge) = (&field.wire, &field.ty, &field.merge);
        quote!(crate::object::schema::Field {
            name: #wire,
            schema: <#ty as crate::object::wire::Wire>::SCHEMA,
            merge: crate::object::schema::Merge::#merge,
        })
    });
    let inline = match inline.map(|field| &field.ty) {
        Some(ty) => quote!(Some(<#ty as crate::object::wire::Wire>::SCHEMA)),
        None => quote!(None),
    };
    let (atomic, unsupported) = (options.atomic, &options.unsupported);
    quote! {
        &crate::object::schema::Schema::Struct(crate::object::schema::Struct {
            name: stringify!(#name),
            fields: &[#(#fields),*],
            inline: #inline,
            atomic: #atomic,
            unsupported: &[#(#unsupported),*],
        })
    }
}

/// A struct is absent when each of its fields is; one that is always written never is.
fn absent(all: &[Field]) -> TokenStream {
    if all.iter().any(Field::always_written) {
        return quote!(false);
    }
    let idents = all.iter().map(|field| &field.ident);
    quote!(true #(&& crate::object::wire::Wire::is_absent(&self.#idents))*)
}

/// The builder: one method a field, on `Apply<Self>` and, for a spec, on `Apply<Object<Self>>`.
fn setters(name: &Ident, options: &StructOptions, all: &[Field]) -> TokenStream {
    let methods = |put: &str| {
        let put = format_ident!("{put}");
        all.iter()
            .map(move |field| {
                let (ident, ty, docs) = (&field.ident, bare(&field.ty), &field.docs);
                let wire = if field.inline { "" } else { &field.wire };
                quote! {
                    #(#docs)*
                    #[must_use]
                    pub fn #ident(self, value: impl crate::object::apply::IntoField<#ty>) -> Self {
                        self.#put(#wire, value.into_field())
                    }
                }
            })
            .collect::<Vec<_>>()
    };
    let cases = |target: TokenStream, prefix: TokenStream| {
        let (idents, types): (Vec<_>, Vec<_>) =
            all.iter().map(|field| (&field.ident, bare(&field.ty))).unzip();
        let wires = all.iter().map(|field| if field.inline { "" } else { &field.wire });
        quote! {
            #(crate::object::apply::tests::check_setter::<#target, #types>(
                #prefix, #wires, |apply, value| apply.#idents(value),
            );)*
        }
    };
    let test_module = format_ident!("{}_setters", snake(&name.to_string()));
    let own_methods = methods("put");
    let own_cases = cases(quote!(#name), quote!(""));
    let (spec_impl, spec_cases) = if options.spec {
        let methods = methods("put_in_spec");
        let object = quote!(crate::object::Object<#name>);
        let cases = cases(object.clone(), quote!(<#name as crate::object::Spec>::KIND.spec_prefix()));
        (quote!(impl crate::object::Apply<#object> { #(#methods)* }), cases)
    } else {
        (quote!(), quote!())
    };
    quote! {
        impl crate::object::Apply<#name> { #(#own_methods)* }
        #spec_impl

        #[cfg(test)]
        mod #test_module {
            #[allow(unused_imports)]
            use super::*;

            #[test]
            fn each_setter_sets_exactly_its_field() {
                #own_cases
                #spec_cases
            }
        }
    }
}

fn snake(pascal: &str) -> String {
    let mut out = String::new();
    for c in pascal.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// The type within `Option` and `Box`, which is what a setter is given.
fn bare(ty: &Type) -> &Type {
    if let Type::Path(path) = ty
        && let Some(last) = path.path.segments.last()
        && (last.ident == "Option" || last.ident == "Box")
        && let syn::PathArguments::AngleBracketed(arguments) = &last.arguments
        && let Some(syn::GenericArgument::Type(inner)) = arguments.args.first()
    {
        return bare(inner);
    }
    ty
}
