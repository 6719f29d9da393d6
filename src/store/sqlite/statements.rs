//! Statements that stay prepared for as long as the writer lives, found by where their text lies in the program.
//!
//! The library's own cache hashes the text and moves the statement through a list at each use, which is a tenth of
//! what a message costs the writer.

use std::{
    cell::RefCell,
    collections::HashMap,
    ops::{Deref, DerefMut},
};

use rusqlite::{Connection, Statement};

/// Where a text lies, and how long it is.
type Key = (usize, usize);

/// The statements of one connection.
pub(super) struct Statements<'c> {
    pub(super) connection: &'c Connection,
    idle: RefCell<HashMap<Key, Statement<'c>>>,
}

impl<'c> Statements<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self { connection, idle: RefCell::default() }
    }

    /// The statement of that text; prepared where it is the first time, or another use is under way.
    pub(super) fn get(&self, sql: &'static str) -> rusqlite::Result<Prepared<'_, 'c>> {
        let key = (sql.as_ptr().addr(), sql.len());
        let idle = self.idle.borrow_mut().remove(&key);
        let statement = idle.map_or_else(|| self.connection.prepare(sql), Ok)?;
        Ok(Prepared { statement: Some(statement), key, home: self })
    }
}

/// A statement in use. It goes back when it is dropped.
pub(super) struct Prepared<'t, 'c> {
    statement: Option<Statement<'c>>,
    key: Key,
    home: &'t Statements<'c>,
}

impl<'c> Deref for Prepared<'_, 'c> {
    type Target = Statement<'c>;

    fn deref(&self) -> &Statement<'c> {
        self.statement.as_ref().expect("it is there until it is dropped")
    }
}

impl<'c> DerefMut for Prepared<'_, 'c> {
    fn deref_mut(&mut self) -> &mut Statement<'c> {
        self.statement.as_mut().expect("it is there until it is dropped")
    }
}

impl Drop for Prepared<'_, '_> {
    fn drop(&mut self) {
        if let Some(statement) = self.statement.take() {
            self.home.idle.borrow_mut().insert(self.key, statement);
        }
    }
}
