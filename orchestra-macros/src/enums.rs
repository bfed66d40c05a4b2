//! `#[wire] enum`, in its three shapes.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parser;
use syn::{DeriveInput, Ident, LitStr, Result, Type};

use crate::names::lower_first;

enum Shape {
    /// Unit variants: a string.
    Text,
    /// A map with at most one of the variants' keys.
    OneOf,
    /// A map with the variant's name under this key.
    Tagged { tag: String, content_counts: bool },
}

impl Shape {
    fn parse(attributes: TokenStream) -> Result<Self> {
        let mut shape = Self::Text;
        let mut counts = false;
        let parser = syn::meta::parser(|meta| {
            if meta.path.is_ident("one_of") {
                shape = Self::OneOf;
            } else if meta.path.is_ident("tag") {
                shape = Self::Tagged { tag: meta.value()?.parse::<LitStr>()?.value(), content_counts: false };
            } else if meta.path.is_ident("content_counts") {
                counts = true;
            } else {
                return Err(meta.error("expected `one_of` or `tag = \"…\"`"));
            }
            Ok(())
        });
        parser.parse2(attributes)?;
        if let Self::Tagged { content_counts, .. } = &mut shape {
            *content_counts = counts;
        }
        Ok(shape)
    }
}

struct Variant {
    ident: Ident,
    /// What it is called on the wire, where that is not the variant's name.
    name: Option<String>,
    /// The key of its content, for a tagged enum.
    content: Option<String>,
    ty: Option<Type>,
    default: bool,
    /// Keys that Kubernetes has and Orchestra does not support: this variant stands for them.
    unsupported: Vec<LitStr>,
}

impl Variant {
    fn parse(variant: &mut syn::Variant) -> Result<Self> {
        let ty = match &variant.fields {
            syn::Fields::Unit => None,
            syn::Fields::Unnamed(fields) if fields.unnamed.len() == 1 => Some(fields.unnamed[0].ty.clone()),
            other => return Err(syn::Error::new_spanned(other, "a variant holds one value or none")),
        };
        let mut parsed = Self {
            ident: variant.ident.clone(),
            name: None,
            content: None,
            ty,
            default: false,
            unsupported: Vec::new(),
        };
        for attribute in &variant.attrs {
            if attribute.path().is_ident("default") {
                parsed.default = true;
            } else if attribute.path().is_ident("wire") {
                attribute.parse_nested_meta(|meta| {
                    if meta.path.is_ident("unsupported") {
                        let content;
                        syn::parenthesized!(content in meta.input);
                        let names = content.parse_terminated(|s| s.parse::<LitStr>(), syn::Token![,])?;
                        parsed.unsupported = names.into_iter().collect();
                        return Ok(());
                    }
                    let value = meta.value()?.parse::<LitStr>()?.value();
                    if meta.path.is_ident("name") {
                        parsed.name = Some(value);
                    } else if meta.path.is_ident("content") {
                        parsed.content = Some(value);
                    } else {
                        return Err(meta.error("expected `name = …`, `content = …` or `unsupported(…)`"));
                    }
                    Ok(())
                })?;
            }
        }
        variant.attrs.retain(|a| !a.path().is_ident("wire"));
        Ok(parsed)
    }

    fn text(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.ident.to_string())
    }

    fn key(&self) -> String {
        self.name.clone().unwrap_or_else(|| lower_first(&self.ident.to_string()))
    }

    fn content_key(&self) -> String {
        self.content.clone().unwrap_or_else(|| lower_first(&self.ident.to_string()))
    }
}

pub(crate) fn expand(attributes: TokenStream, mut input: DeriveInput) -> Result<TokenStream> {
    let shape = Shape::parse(attributes)?;
    let syn::Data::Enum(data) = &mut input.data else {
        return Err(syn::Error::new_spanned(&input, "expected an enum"));
    };
    let variants = data.variants.iter_mut().map(Variant::parse).collect::<Result<Vec<_>>>()?;
    let name = &input.ident;
    let derive_default =
        if variants.iter().any(|v| v.default) { quote!(#[derive(Default)]) } else { quote!() };
    let (derives, body) = match shape {
        Shape::Text => (
            quote!(#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]),
            text(name, &variants)?,
        ),
        Shape::OneOf => (quote!(#[derive(Clone, Debug, PartialEq)]), one_of(name, &variants)?),
        Shape::Tagged { tag, content_counts } => {
            (quote!(#[derive(Clone, Debug, PartialEq)]), tagged(name, &tag, content_counts, &variants))
        }
    };
    Ok(quote! {
        #derives
        #derive_default
        #input
        #body
        impl crate::object::apply::IntoField<#name> for #name {
            fn into_field(self) -> crate::object::apply::Setting {
                crate::object::apply::whole(&self)
            }
        }
    })
}

fn text(name: &Ident, variants: &[Variant]) -> Result<TokenStream> {
    if let Some(variant) = variants.iter().find(|v| v.ty.is_some()) {
        return Err(syn::Error::new_spanned(&variant.ident, "a variant of a string enum holds no value"));
    }
    let idents: Vec<_> = variants.iter().map(|v| &v.ident).collect();
    let texts: Vec<_> = variants.iter().map(Variant::text).collect();
    Ok(quote! {
        impl #name {
            /// Every value there is, in the order in which they are declared.
            pub const ALL: &'static [Self] = &[#(Self::#idents),*];
            const TEXTS: &'static [&'static str] = &[#(#texts),*];

            /// The value as it stands on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    #(Self::#idents => #texts,)*
                }
            }
        }

        impl ::core::fmt::Display for #name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl ::serde::Serialize for #name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> ::core::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for #name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> ::core::result::Result<Self, D::Error> {
                crate::object::wire::read_text(deserializer, Self::TEXTS).map(|at| Self::ALL[at])
            }
        }

        impl crate::object::wire::Wire for #name {
            const SCHEMA: &'static crate::object::schema::Schema =
                &crate::object::schema::Schema::Enum(Self::TEXTS);

            fn is_absent(&self) -> bool {
                self.as_str().is_empty()
            }

            fn read_given<'de, D: ::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Option<Self>, D::Error> {
                let at = crate::object::wire::read_text_or_empty(deserializer, Self::TEXTS)?;
                Ok(at.map(|at| Self::ALL[at]))
            }
        }
    })
}

fn one_of(name: &Ident, variants: &[Variant]) -> Result<TokenStream> {
    let Some(unset) = variants.iter().find(|v| v.ty.is_none() && v.default).map(|v| &v.ident) else {
        return Err(syn::Error::new_spanned(
            name,
            "one variant is #[default], holds nothing and means: none given",
        ));
    };
    let held: Vec<_> = variants.iter().filter(|v| v.ty.is_some()).collect();
    let idents: Vec<_> = held.iter().map(|v| &v.ident).collect();
    let types: Vec<_> = held.iter().filter_map(|v| v.ty.as_ref()).collect();
    let keys: Vec<_> = held.iter().map(|v| v.key()).collect();
    let positions = 0..held.len();
    let positions_again = 0..held.len();
    // The variant for what is not supported: its keys are known, their content is not read.
    let other = variants.iter().find(|v| !v.unsupported.is_empty());
    let unsupported = other.map(|v| v.unsupported.as_slice()).unwrap_or_default();
    let beyond = held.len();
    let (other_index, other_read, other_key, other_write) = match other.map(|v| &v.ident) {
        None => (quote!(), quote!(), quote!(), quote!()),
        Some(ident) => (
            quote!(#(#unsupported)|* => Some(#beyond),),
            quote!(#beyond => map.next_value::<Option<::serde::de::IgnoredAny>>()?.map(|_| Self::#ident),),
            quote!(Self::#ident => "",),
            quote!(Self::#ident => Ok(()),),
        ),
    };
    Ok(quote! {
        impl #name {
            /// The key under which the content stands on the wire; empty when there is none.
            #[must_use]
            pub const fn key(&self) -> &'static str {
                match self {
                    Self::#unset => "",
                    #other_key
                    #(Self::#idents(_) => #keys,)*
                }
            }
        }

        impl crate::object::wire::Fields for #name {
            const NAME: &'static str = stringify!(#name);
            const NAMES: &'static [&'static str] = &[#(#keys),*];
            fn index(name: &str) -> Option<usize> {
                match name {
                    #(#keys => Some(#positions),)*
                    #other_index
                    _ => None,
                }
            }
            fn read<'de, A: ::serde::de::MapAccess<'de>>(
                &mut self,
                index: usize,
                map: &mut A,
            ) -> ::core::result::Result<(), A::Error> {
                let given = match index {
                    #(#positions_again => map.next_value_seed(crate::object::wire::Given::<#types>::new())?.map(Self::#idents),)*
                    #other_read
                    _ => return crate::object::wire::skip(map),
                };
                match given {
                    Some(given) if matches!(self, Self::#unset) => {
                        *self = given;
                        Ok(())
                    }
                    Some(given) => Err(crate::object::wire::two_of_one(self.key(), given.key())),
                    None => Ok(()),
                }
            }
            fn write<S: ::serde::ser::SerializeStruct>(&self, out: &mut S) -> ::core::result::Result<(), S::Error> {
                match self {
                    Self::#unset => Ok(()),
                    #other_write
                    #(Self::#idents(content) => out.serialize_field(#keys, content),)*
                }
            }
        }

        impl crate::object::wire::Wire for #name {
            const SCHEMA: &'static crate::object::schema::Schema =
                &crate::object::schema::Schema::OneOf(crate::object::schema::OneOf {
                    name: stringify!(#name),
                    tag: None,
                    unsupported: &[#(#unsupported),*],
                    variants: &[#(crate::object::schema::Variant {
                        value: #keys,
                        content: Some(crate::object::schema::Field {
                            name: #keys,
                            schema: <#types as crate::object::wire::Wire>::SCHEMA,
                            merge: crate::object::schema::Merge::Granular,
                        }),
                    }),*],
                });
            fn is_absent(&self) -> bool {
                matches!(self, Self::#unset)
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
    })
}

fn tagged(name: &Ident, tag: &str, content_counts: bool, variants: &[Variant]) -> TokenStream {
    let texts: Vec<_> = variants.iter().map(Variant::text).collect();
    let patterns = variants.iter().map(|v| {
        let ident = &v.ident;
        if v.ty.is_some() { quote!(Self::#ident(_)) } else { quote!(Self::#ident) }
    });
    let empties = variants.iter().map(|v| {
        let ident = &v.ident;
        if v.ty.is_some() {
            quote!(Self::#ident(::core::default::Default::default()))
        } else {
            quote!(Self::#ident)
        }
    });
    let positions: Vec<_> = (0..variants.len()).collect();
    let (held_positions, held): (Vec<_>, Vec<_>) =
        variants.iter().enumerate().filter(|(_, v)| v.ty.is_some()).unzip();
    let held_idents: Vec<_> = held.iter().map(|v| &v.ident).collect();
    let held_types: Vec<_> = held.iter().filter_map(|v| v.ty.as_ref()).collect();
    let held_keys: Vec<_> = held.iter().map(|v| v.content_key()).collect();
    let schema_variants = variants.iter().map(|v| {
        let (text, key) = (v.text(), v.content_key());
        let content = match &v.ty {
            Some(ty) => quote!(Some(crate::object::schema::Field {
                name: #key,
                schema: <#ty as crate::object::wire::Wire>::SCHEMA,
                merge: crate::object::schema::Merge::Granular,
            })),
            None => quote!(None),
        };
        quote!(crate::object::schema::Variant { value: #text, content: #content })
    });
    quote! {
        impl #name {
            const TEXTS: &'static [&'static str] = &[#(#texts),*];

            /// The variant's name as it stands on the wire.
            #[must_use]
            pub const fn tag(&self) -> &'static str {
                match self {
                    #(#patterns => #texts,)*
                }
            }
        }

        impl crate::object::wire::Tagged for #name {
            const NAME: &'static str = stringify!(#name);
            const TAG: &'static str = #tag;
            const CONTENT_COUNTS: bool = #content_counts;
            const TEXTS: &'static [&'static str] = Self::TEXTS;
            const NAMES: &'static [&'static str] = &[#tag, #(#held_keys),*];
            fn content(name: &str) -> Option<usize> {
                match name {
                    #(#held_keys => Some(#held_positions),)*
                    _ => None,
                }
            }
            fn position(&self) -> usize {
                match self.tag() {
                    #(#texts => #positions,)*
                    _ => usize::MAX,
                }
            }
            fn empty(position: usize) -> Self {
                match position {
                    #(#positions => #empties,)*
                    _ => Self::default(),
                }
            }
            fn read<'de, A: ::serde::de::MapAccess<'de>>(
                position: usize,
                map: &mut A,
            ) -> ::core::result::Result<Option<Self>, A::Error> {
                match position {
                    #(#held_positions => Ok(map
                        .next_value_seed(crate::object::wire::Given::<#held_types>::new())?
                        .map(Self::#held_idents)),)*
                    _ => crate::object::wire::skip(map).map(|()| None),
                }
            }
            fn write<S: ::serde::ser::SerializeStruct>(&self, out: &mut S) -> ::core::result::Result<(), S::Error> {
                match self {
                    #(Self::#held_idents(content) if !crate::object::wire::Wire::is_absent(content) => {
                        out.serialize_field(#held_keys, content)
                    })*
                    #[allow(unreachable_patterns)]
                    _ => Ok(()),
                }
            }
        }

        impl crate::object::wire::Wire for #name {
            const SCHEMA: &'static crate::object::schema::Schema =
                &crate::object::schema::Schema::OneOf(crate::object::schema::OneOf {
                    name: stringify!(#name),
                    tag: Some(#tag),
                    unsupported: &[],
                    variants: &[#(#schema_variants),*],
                });
        }

        impl ::serde::Serialize for #name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> ::core::result::Result<S::Ok, S::Error> {
                crate::object::wire::write_tagged(self, serializer)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for #name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> ::core::result::Result<Self, D::Error> {
                crate::object::wire::read_tagged(deserializer)
            }
        }

    }
}
