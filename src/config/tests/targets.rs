//! The targets of agreements: what is measured can be, and once.

use super::{SMALL, problems};

fn with(more: &str) -> String {
    let told = problems(&format!("{SMALL}{more}\n"));
    told.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn target(more: &str) -> String {
    format!("[[agreement.target]]\nwhat = \"x\"\nclause = \"3\"\n{more}\n")
}

#[test]
fn what_is_measured_is_known_and_measured_by_one_target_and_by_a_kind_that_is_taken() {
    let measured =
        |percent: u8| target(&format!("of = \"interviews_in_time\"\nat_least_percent = {percent}"));
    for (more, told) in [
        (target("at_least_percent = 0"), "target[0].at_least_percent: a target is 1 to 100 percent"),
        (target("at_least_percent = 101"), "target[0].at_least_percent: a target is 1 to 100 percent"),
        (target("at_least_percent = 90\nof = \"members\""), "target[0].of: unknown variant `members`"),
        (target("at_least_percent = 90\nat_least_owns = true"), "unknown field `at_least_owns`"),
        (
            target("at_least_percent = 90\nat_least_own = true"),
            "target[0].at_least_own: nothing is measured by this target: say what it is of",
        ),
        (
            measured(90) + &measured(80),
            "site.toml:24: agreement[0].target[1].of: the same is measured by another target (site.toml:19)",
        ),
        (
            format!("kinds = [\"complaint\"]\n{}", measured(90)),
            "site.toml:20: agreement[0].target[0].of: it is measured by interview_record, which is not among the \
             kinds it takes (site.toml:16)",
        ),
        (
            measured(90).replace("clause = \"3\"", "clause = \" \""),
            "target[0].clause: it names the clause it comes from",
        ),
    ] {
        assert!(with(&more).contains(told), "{more}\n{}", with(&more));
    }
    let fits = measured(75).replace("of =", "at_least_own = true\nof =") + &target("at_least_percent = 1");
    assert_eq!(with(&fits), "");
    assert_eq!(with(&format!("kinds = [\"interview_record\"]\n{fits}")), "");
}
