//! Counters that belong together, as one value: each is written down once, and what is done with all of them follows.

/// Declares a struct of counters, which can be added to another.
macro_rules! counters {
    (
        $(#[$about:meta])*
        pub struct $name:ident {
            $($(#[$what:meta])* pub $counter:ident,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$what])* pub $counter: u64,)*
        }

        impl $name {
            /// Adds what another counted.
            pub fn add(&mut self, other: &Self) {
                $(self.$counter += other.$counter;)*
            }
        }
    };
}

pub(crate) use counters;

#[cfg(test)]
mod tests {
    counters! {
        /// Two of them.
        pub struct Two {
            /// One.
            pub one,
            /// The other.
            pub other,
        }
    }

    #[test]
    fn each_is_added_to_its_own() {
        let mut sum = Two { one: 1, other: 20 };
        sum.add(&Two { one: 300, other: 4000 });
        assert_eq!(sum, Two { one: 301, other: 4020 });
    }
}
