//! The names of enums: each variant is listed once, with its name in JSON, on the wire and on screen.
//!
//! Only a table; a service compiles it, so it stays a macro of a few lines. Used by every room that has an enum with
//! names.

/// Declares an enum of unit variants with their names: `ALL`, `as_str`, `from_name` and `Display` come from the list.
macro_rules! names {
    (
        $(#[$meta:meta])*
        pub enum $Enum:ident {
            $($(#[$variant_meta:meta])* $Variant:ident = $name:literal,)*
        }
    ) => {
        $(#[$meta])*
        pub enum $Enum {
            $($(#[$variant_meta])* $Variant,)*
        }

        impl $Enum {
            /// Every variant, in the order of their declaration.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$Variant),*];

            /// The name in JSON, on the wire and on screen.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$Variant => $name,)*
                }
            }

            /// The variant of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|variant| variant.as_str() == name)
            }
        }

        impl std::fmt::Display for $Enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(crate) use names;
