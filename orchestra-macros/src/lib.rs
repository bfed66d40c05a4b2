//! `#[wire]`: the attribute that gives Orchestra's built-in kinds their wire form.
//!
//! It writes tables, no logic: which fields there are, what they are called on the wire, how one
//! is read, written and set. What is done with the tables is ordinary Rust, in
//! `orchestra_core::object::wire`. There are four shapes:
//!
//! | written as | on the wire |
//! |---|---|
//! | `#[wire] struct` | a map; absent fields are left out, `null` is absent |
//! | `#[wire] enum` of unit variants | a string |
//! | `#[wire(one_of)] enum` | a map with at most one of the variants' keys |
//! | `#[wire(tag = "type")] enum` | a map with the variant's name under `type`, its content beside it |
//!
//! A variant of a `one_of` may be `#[wire(unsupported("nfs", …))]`: it stands for keys that Kubernetes
//! has and Orchestra does not. With `tag = …, content_counts`, content that is not the tag's counts.
//!
//! Field attributes: `name = "podIP"` (the default is camelCase), `default = 30` (Kubernetes'
//! default: filled in when absent, always written), `required` (written even when empty),
//! `inline` (the field's own fields stand beside this one), and how server-side apply merges a
//! list or map: `keys(name)`, `set`, `atomic`.
//!
//! Struct attributes: `spec` (also gives `Apply<Object<Self>>` the setters), `atomic`,
//! `unsupported("nfs", …)` (fields that Kubernetes has and Orchestra does not).

mod enums;
mod names;
mod structs;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Gives a struct or enum its wire form. See the crate's page.
#[proc_macro_attribute]
pub fn wire(attributes: TokenStream, item: TokenStream) -> TokenStream {
    let input = parse_macro_input!(item as DeriveInput);
    let attributes = proc_macro2::TokenStream::from(attributes);
    let expanded = match &input.data {
        syn::Data::Struct(_) => structs::expand(attributes, input),
        syn::Data::Enum(_) => enums::expand(attributes, input),
        syn::Data::Union(_) => Err(syn::Error::new_spanned(&input, "a union has no wire form")),
    };
    expanded.unwrap_or_else(|error| error.to_compile_error()).into()
}
