//! What one process of several does.

use std::{collections::BTreeSet, fmt, str::FromStr};

/// A part of the gateway that one process may do without, where another on the same database does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Takes messages from RabbitMQ and from folders, and receipts from folders.
    Intake,
    /// Delivers to receivers, and publishes answers to senders.
    Dispatch,
    /// Records the steps of promises, and opens, resolves and tells alerts.
    Watch,
    /// Answers every call over HTTP, taking messages among them. Without it a process answers those about its health.
    Api,
}

impl Role {
    /// Every role, in the order that they are told in.
    pub const ALL: [Self; 4] = [Self::Intake, Self::Dispatch, Self::Watch, Self::Api];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Dispatch => "dispatch",
            Self::Watch => "watch",
            Self::Api => "api",
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|role| role.name() == name);
        found.ok_or_else(|| format!("no role is called {name:?}; the roles are {}", Roles::default()))
    }
}

/// The roles of one process; every one unless some are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles(BTreeSet<Role>);

impl Roles {
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// Whether other processes must do a part of the work.
    pub fn are_some(&self) -> bool {
        self.0.len() < Role::ALL.len()
    }

    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|role| role.name()).collect()
    }
}

impl Default for Roles {
    fn default() -> Self {
        Self(Role::ALL.into())
    }
}

impl FromIterator<Role> for Roles {
    /// Of no role at all every one is made.
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        let named: BTreeSet<Role> = roles.into_iter().collect();
        if named.is_empty() { Self::default() } else { Self(named) }
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_the_roles_that_are_named_or_all() {
        let roles: Roles = [Role::Watch, Role::Intake, Role::Watch].into_iter().collect();
        assert_eq!(roles.to_string(), "intake, watch");
        assert!(roles.are_some() && roles.has(Role::Watch) && !roles.has(Role::Api));
        let all: Roles = [].into_iter().collect();
        assert_eq!((all.names(), all.are_some()), (vec!["intake", "dispatch", "watch", "api"], false));
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(role));
        }
        assert!("lookout".parse::<Role>().unwrap_err().contains("intake, dispatch, watch, api"));
    }
}
