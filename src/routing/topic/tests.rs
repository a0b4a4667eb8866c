//! Topic patterns one by one, against a plain matcher, and by what a walk costs.

use proptest::prelude::*;

use super::super::tests::{HASH, Queue};
use super::*;

/// The rule itself, word by word.
fn matches(pattern: &[&str], key: &[&str]) -> bool {
    match (pattern, key) {
        ([], []) => true,
        (["#", rest @ ..], _) => {
            matches(rest, key) || (!key.is_empty() && matches(pattern, &key[1..]))
        }
        (["*", rest @ ..], [_, key @ ..]) => matches(rest, key),
        ([word, rest @ ..], [first, key @ ..]) => word == first && matches(rest, key),
        _ => false,
    }
}

fn route(trie: &Trie<Queue>, key: &str) -> Vec<u64> {
    search(trie, key, u64::MAX).found.iter().map(|queue| queue.0).collect()
}

fn search(trie: &Trie<Queue>, key: &str, steps_max: u64) -> Search<Queue> {
    let mut search = Search::new(steps_max);
    trie.route(key, &mut search);
    search
}

/// How many nodes are looked at for `key`. What was found is not counted.
fn visits(trie: &Trie<Queue>, key: &str) -> usize {
    let search = search(trie, key, u64::MAX);
    search.steps.taken() as usize - search.found.len()
}

fn check(pattern: &str, key: &str, expected: bool) {
    let mut trie = Trie::new(HASH);
    trie.insert(pattern, &Queue(1));
    let routed = route(&trie, key);
    assert_eq!(!routed.is_empty(), expected, "trie: {pattern:?} {key:?}");
    let pattern_words: Vec<&str> = words(pattern).collect();
    let key_words: Vec<&str> = words(key).collect();
    assert_eq!(matches(&pattern_words, &key_words), expected, "rule: {pattern:?} {key:?}");
}

#[test]
fn words_match_themselves_only() {
    check("orders", "orders", true);
    check("orders.created", "orders.created", true);
    check("orders.created", "orders", false);
    check("orders", "orders.created", false);
    check("orders", "Orders", false);
    check("orders.payment", "payment.orders", false);
    check("é.日本", "é.日本", true);
    check(" ", " ", true);
    check("a*", "ab", false);
    check("a*", "a*", true);
    check("**", "a", false);
    check("##", "a.b", false);
    check("a#.b", "a.b", false);
}

#[test]
fn a_star_is_exactly_one_word() {
    check("*", "a", true);
    check("*", "", false);
    check("*", "a.b", false);
    check("*.*", "a.b", true);
    check("*.*", "a", false);
    check("orders.*.completed", "orders.payment.completed", true);
    check("orders.*.completed", "orders.completed", false);
    check("orders.*.completed", "orders.a.b.completed", false);
    check("orders.*", "orders.payment.completed", false);
    check("*.created", "orders.created", true);
    check("a.*", "a.*", true);
    check("*", "*", true);
}

#[test]
fn a_hash_is_any_number_of_words() {
    check("#", "", true);
    check("#", "a", true);
    check("#", "a.b.c", true);
    check("#", "#", true);
    check("a.#", "a", true);
    check("a.#", "a.b.c", true);
    check("a.#", "b", false);
    check("#.a", "a", true);
    check("#.a", "b.c.a", true);
    check("#.a", "a.b", false);
    check("a.#.b", "a.b", true);
    check("a.#.b", "a.x.y.b", true);
    check("a.#.b", "a.x.y", false);
    check("a.#.b", "a.b.b.c", false);
    check("#.a.#", "x.a.y", true);
    check("#.a.#", "a.a.a", true);
    check("#.a.#.b.#", "b.a", false);
    check("#.#", "", true);
    check("#.#.#", "a", true);
    check("#.*", "", false);
    check("#.*", "a", true);
    check("*.#", "", false);
    check("*.#", "a", true);
    check("*.#.*", "a", false);
    check("*.#.*", "a.b", true);
    check("#.*.#.*.#", "a.b.c", true);
    check("#.*.#.*.#", "a", false);
}

#[test]
fn an_empty_key_has_no_words_and_dots_make_empty_words() {
    check("", "", true);
    check("", "a", false);
    check("", ".", false);
    check(".", ".", true);
    check("*", ".", false);
    check("*.*", ".", true);
    check("a..b", "a..b", true);
    check("a.*.b", "a..b", true);
    check("a.#.b", "a..b", true);
    check("a.b", "a..b", false);
    check("a.", "a.", true);
    check("a.*", "a.", true);
    check("a", "a.", false);
    check(".a", ".a", true);
    check("*.a", ".a", true);
    check("#.a", ".a", true);
    check("#.", "a.", true);
    check("#.", "a", false);
    check("#.", "", false);
    check(".#", "", false);
    check(".#", ".", true);
}

#[test]
fn bindings_that_do_not_match_cost_nothing() {
    let patterns: [fn(usize) -> String; 6] = [
        |n| format!("*.x{n}.#"),
        |n| format!("x{n}.#"),
        |n| format!("#.x{n}"),
        |n| format!("orders.x{n}.*"),
        |n| format!("#.x{n}.#.y{n}.#"),
        |n| format!("orders.*.x{n}"),
    ];
    for pattern in patterns {
        let cost = |bindings: usize| {
            let mut trie = Trie::new(HASH);
            trie.insert("orders.*.completed", &Queue(0));
            for n in 0..bindings {
                trie.insert(&pattern(n), &Queue(1 + n as u64));
            }
            assert_eq!(route(&trie, "orders.payment.completed"), [0]);
            visits(&trie, "orders.payment.completed")
        };
        assert_eq!(cost(1), cost(1000), "{}", pattern(7));
        assert!(cost(1000) < 12, "{} takes {}", pattern(7), cost(1000));
    }
}

#[test]
fn many_hashes_in_one_pattern_cost_at_most_words_times_nodes() {
    let key = vec!["a"; 127].join(".");
    for pattern in ["#.#.#.#.#.#.#.#.b", "#.a.#.a.#.a.#.a.#.b", "#.*.#.*.#.*.#.b", "*.#.a.#.*.#.b"]
    {
        let mut trie = Trie::new(HASH);
        trie.insert(pattern, &Queue(1));
        assert_eq!(route(&trie, &key), [0; 0]);
        let most = 128 * trie.nodes.len();
        assert!(visits(&trie, &key) <= most, "{pattern}: {} of {most}", visits(&trie, &key));
    }
    let hashes = vec!["#"; 127].join(".");
    let stars = format!("#.{}", vec!["*"; 126].join("."));
    let mut trie = Trie::new(HASH);
    trie.insert(&hashes, &Queue(1));
    trie.insert(&format!("{hashes}.b"), &Queue(2));
    trie.insert(&stars, &Queue(3));
    assert_eq!(route(&trie, &key), [1, 3]);
    assert!(visits(&trie, &key) <= 128 * trie.nodes.len());
}

/// Two thousand patterns of wildcards, and a key of 120 words.
#[test]
fn a_walk_ends_at_its_limit_whatever_the_patterns() {
    let mut random = 1_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % below
    };
    let mut trie = Trie::new(HASH);
    for _ in 0..2_000 {
        let parts = 20 + next(40);
        let parts: Vec<&str> =
            (0..parts).map(|_| ["#", "*", "a", "b", "#.#"][next(5) as usize]).collect();
        trie.insert(&parts.join("."), &Queue(1));
    }
    let key: Vec<&str> = (0..120).map(|_| ["a", "b"][next(2) as usize]).collect();
    let key = key.join(".");
    assert!(visits(&trie, &key) <= 121 * trie.nodes.len());
    for most in [0, 1, 1000, 100_000] {
        let ended = search(&trie, &key, most);
        assert!(ended.steps.are_too_many());
        // The nodes of one word are gone through, though not looked at, before the end is seen.
        assert!(ended.steps.taken() <= most + trie.nodes.len() as u64, "{:?}", ended.steps);
    }
}

#[test]
fn unbinding_leaves_no_nodes_edges_or_words() {
    let mut trie = Trie::new(HASH);
    trie.insert("keep.*.this", &Queue(1));
    let nodes = trie.nodes.len();
    let (edges, texts) = (trie.edges.len(), trie.words.ids.len());
    for round in 0..50 {
        let patterns: Vec<String> = (0..20)
            .flat_map(|n| {
                let unique = round * 20 + n;
                [format!("keep.x{unique}.#"), format!("#.*.x{unique}.this"), format!("x{unique}")]
            })
            .collect();
        for pattern in &patterns {
            trie.insert(pattern, &Queue(2));
        }
        for pattern in &patterns {
            trie.remove(pattern, 2);
        }
        assert_eq!((trie.edges.len(), trie.words.ids.len()), (edges, texts));
        assert_eq!(trie.nodes.len() - trie.free.len(), nodes);
        assert!(trie.nodes.len() < 200 && trie.words.entries.len() < 50, "freed places are reused");
    }
    trie.remove("keep.*.this", 1);
    assert_eq!((trie.nodes.len(), trie.free.len()), (1, 0));
    assert_eq!((trie.edges.capacity(), trie.words.entries.len()), (0, 0));
}

#[test]
fn removing_what_is_not_there_changes_nothing() {
    let mut trie = Trie::new(HASH);
    trie.insert("a.b.c", &Queue(1));
    for key in ["a.b", "a.b.c.d", "a.*.c", "#", "", "x"] {
        trie.remove(key, 1);
    }
    trie.remove("a.b.c", 2);
    assert_eq!(route(&trie, "a.b.c"), [1]);
}

#[test]
fn a_walk_that_grew_large_gives_its_room_back() {
    let mut search = Search::new(u64::MAX);
    let mut trie = Trie::new(HASH);
    for words in 0..60 {
        trie.insert(&format!("{}{}b", "*.".repeat(words), "#.".repeat(100)), &Queue(1));
    }
    trie.route(&["a"; 60].join("."), &mut search);
    assert!(search.walk.seen.capacity() > KEPT_STATES_MAX);
    trie.route("a", &mut search);
    assert!(search.walk.seen.capacity() < KEPT_STATES_MAX);
}

/// Patterns and keys from so few words that many match.
fn dotted(word: &'static str) -> impl Strategy<Value = String> {
    prop::collection::vec(word, 0..7).prop_map(|words| words.join("."))
}

proptest! {
    #[test]
    fn the_trie_agrees_with_the_rule(
        patterns in prop::collection::vec(
            prop_oneof![dotted("[ab*#]|[*#]|"), dotted("#|#|#|[a*]")],
            0..12,
        ),
        keys in prop::collection::vec(dotted("[ab*#]|[ab]|"), 1..12),
    ) {
        let mut trie = Trie::new(HASH);
        for (n, pattern) in patterns.iter().enumerate() {
            trie.insert(pattern, &Queue(n as u64));
        }
        for key in &keys {
            let key_words: Vec<&str> = words(key).collect();
            let expected: Vec<u64> = (0..patterns.len())
                .filter(|n| matches(&words(&patterns[*n]).collect::<Vec<_>>(), &key_words))
                .map(|n| n as u64)
                .collect();
            let mut routed = route(&trie, key);
            routed.sort_unstable();
            prop_assert_eq!(routed, expected, "{:?} {:?}", patterns, key);
            let most = (key_words.len() + 1) * trie.nodes.len();
            let visits = visits(&trie, key);
            prop_assert!(visits <= most, "{} of {}: {:?} {:?}", visits, most, patterns, key);
        }
    }
}
