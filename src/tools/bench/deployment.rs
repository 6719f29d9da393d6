//! The deployments that are measured: so many receivers, so many agreements, as a person would configure them.

use std::fmt::Write;

use crate::{domain::identifiers::municipalities, tools::generate};

/// The a-kasser that send.
pub const FUNDS: [&str; 2] = ["3f", "krifa"];

/// Receivers at the most: one for each municipality and kind.
pub const RECEIVERS_MAX: u16 = 294;

/// Past agreements of one a-kasse and one jobcentre last a year each, from this year on.
const FIRST_YEAR: usize = 1900;
/// Agreements at the most, so that the past ones fit before those in force.
pub const AGREEMENTS_MAX: u32 = 20_000;
/// The first day of the agreements in force.
const IN_FORCE_FROM: &str = "2024-01-01";

/// What there is to configure.
#[derive(Debug, Clone)]
pub struct Deployment<'a> {
    /// Codes of the a-kasser.
    pub funds: &'a [String],
    /// In all, 1 to [`RECEIVERS_MAX`].
    pub receivers: u16,
    /// In all, at most [`AGREEMENTS_MAX`]; those that the messages need are always there.
    pub agreements: u32,
}

impl Deployment<'_> {
    /// Receivers of each jobcentre; the last may have fewer.
    fn each(&self) -> usize {
        usize::from(self.receivers).div_ceil(municipalities().count())
    }

    /// The codes of the jobcentres that receive.
    pub fn jobcentres(&self) -> Vec<String> {
        let count = usize::from(self.receivers).div_ceil(self.each());
        municipalities().take(count).map(|(code, _)| code.to_owned()).collect()
    }

    /// Parties, receivers and agreements in TOML. Each receiver is reached by HTTP at `url` of its jobcentre;
    /// `more` settings stand in each receiver and `party` settings in each a-kasse.
    pub fn toml(&self, url: impl Fn(&str) -> String, receiver: &str, party: &str) -> String {
        let mut toml = String::new();
        for fund in self.funds {
            write!(toml, "\n[[party]]\ncode = \"{fund}\"\namqp_user = \"{fund}\"\n{party}")
                .expect("text grows");
        }
        let jobcentres = self.jobcentres();
        for place in 0..usize::from(self.receivers) {
            let (jobcentre, slot) = (&jobcentres[place / self.each()], place % self.each());
            write!(
                toml,
                "\n[[receiver]]\nname = \"{jobcentre}-{slot}\"\nparty = \"{jobcentre}\"\nchannel = \"http\"\nurl = \"{}\"\n{receiver}",
                url(jobcentre)
            )
            .expect("text grows");
            // The last of a jobcentre takes what no other of it names.
            let last = slot + 1 == self.each() || place + 1 == usize::from(self.receivers);
            if !last {
                writeln!(toml, "kinds = [\"{}\"]", generate::KINDS[slot]).expect("text grows");
            }
        }
        self.write_agreements(&jobcentres, &mut toml);
        toml
    }

    fn write_agreements(&self, jobcentres: &[String], toml: &mut String) {
        let pairs =
            || self.funds.iter().flat_map(|fund| jobcentres.iter().map(move |jobcentre| (fund, jobcentre)));
        let mut write_one = |fund: &str, jobcentre: &str, number: usize, validity: &str| {
            write!(
                toml,
                "\n[[agreement]]\nid = \"{fund}-{jobcentre}-{number}\"\nakasse = \"{fund}\"\njobcenter = \"{jobcentre}\"\n{validity}"
            )
            .expect("text grows");
        };
        for (fund, jobcentre) in pairs() {
            write_one(fund, jobcentre, 0, &format!("valid_from = \"{IN_FORCE_FROM}\"\n"));
        }
        let in_force = self.funds.len() * jobcentres.len();
        let past = (self.agreements as usize).saturating_sub(in_force);
        // Between all municipalities, so that a hundred years hold them.
        let everyone: Vec<String> = municipalities().map(|(code, _)| code.to_owned()).collect();
        for number in 0..past {
            let (fund, rest) = (&self.funds[number % self.funds.len()], number / self.funds.len());
            let (jobcentre, year) = (&everyone[rest % everyone.len()], FIRST_YEAR + rest / everyone.len());
            let validity = format!("valid_from = \"{year}-01-01\"\nvalid_to = \"{year}-12-31\"\n");
            write_one(fund, jobcentre, number + 1, &validity);
        }
    }
}

/// How a configuration begins: the store's address, where HTTP is served, and nothing logged but trouble.
pub fn head(store: &str, listen: &str) -> String {
    format!("[store]\nurl = \"{store}\"\n\n[http]\nlisten = \"{listen}\"\n\n[log]\nlevel = \"warn\"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn every_size_is_a_valid_configuration_of_that_size() {
        let funds = FUNDS.map(str::to_owned);
        for (receivers, agreements) in [(1, 0), (6, 4), (98, 500), (99, 0), (200, 0), (294, 20_000)] {
            let deployment = Deployment { funds: &funds, receivers, agreements };
            let toml = deployment.toml(|code| format!("http://127.0.0.1:9/{code}"), "permits = 4\n", "");
            let text = head("sqlite:x.db", "127.0.0.1:0") + &toml;
            let settings = config::from_text("bench.toml", &text).unwrap();
            assert_eq!(settings.receiver.len(), usize::from(receivers));
            let needed = 2 * deployment.jobcentres().len();
            assert_eq!(settings.agreement.len(), needed.max(agreements as usize), "{receivers} {agreements}");
            let last = settings.agreement.iter().filter_map(|a| a.valid_to).max();
            assert!(last.is_none_or(|last| last < IN_FORCE_FROM.parse().unwrap()), "{last:?}");
            // Nobody's kinds are left without a receiver.
            for jobcentre in deployment.jobcentres() {
                let mut own = settings.receiver.iter().filter(|r| r.common.party == jobcentre);
                assert!(own.any(|r| r.common.kinds.is_empty()), "{receivers} {jobcentre}");
            }
        }
    }
}
