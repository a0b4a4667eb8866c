//! From a routing key to its queues, with 1, 1,000 and 100,000 bindings.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use leveret::routing::{Bindings, Destination, KeyHash, Kind, Search};
use leveret::wire::Table;

const BINDINGS: &[u64] = &[1, 1000, 100_000];

#[derive(Clone, PartialEq, Eq)]
struct Place(u64);

impl Destination for Place {
    fn id(&self) -> u64 {
        self.0
    }
}

/// Routes one message whose key matches one binding of many.
pub fn routing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("routing");
    for &count in BINDINGS {
        let exchanges = [
            ("direct", bound(Kind::Direct, count, |number| format!("orders.{number}"))),
            ("topic", bound(Kind::Topic, count, |number| format!("*.{number}.#"))),
        ];
        for (name, bindings) in exchanges {
            let key = match name {
                "direct" => format!("orders.{}", count / 2),
                _ => format!("orders.{}.completed", count / 2),
            };
            let mut search = Search::new(u64::MAX);
            group.bench_with_input(BenchmarkId::new(name, count), &key, |bench, key| {
                bench.iter(|| {
                    search.found.clear();
                    bindings.route(black_box(key), None, &mut search);
                    assert_eq!(search.found.len(), 1);
                });
            });
        }
    }
    let all = bound(Kind::Fanout, 1000, |_| String::new());
    let mut search = Search::new(u64::MAX);
    group.bench_function("fanout/1000", |bench| {
        bench.iter(|| {
            search.found.clear();
            all.route(black_box("any"), None, &mut search);
            assert_eq!(search.found.len(), 1000);
        });
    });
    group.finish();
}

fn bound(kind: Kind, count: u64, key: impl Fn(u64) -> String) -> Bindings<Place> {
    let mut bindings = Bindings::new(kind, KeyHash::new([1, 2]));
    for number in 0..count {
        bindings.bind(&key(number), &Table::new(), Place(number)).unwrap();
    }
    bindings
}
