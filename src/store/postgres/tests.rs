//! A database for one test, and what only an engine for several nodes must keep.

use std::path::Path;

use tokio_postgres::{Client, NoTls};

use super::{Address, Mode, Postgres};

mod cuts;
mod doubt;
mod older;
mod plans;
mod start;

/// A schema of the test's own, in the server that `tests/run` starts.
#[derive(Clone)]
pub(in crate::store) struct Schema {
    name: String,
}

impl Schema {
    /// The schema that belongs to a test's folder.
    pub(in crate::store) fn of(folder: &Path) -> Self {
        let folder = folder.file_name().unwrap().to_string_lossy();
        let letters = crate::units::hex(folder.as_bytes());
        let schema = Self { name: format!("t{}_{letters}", std::process::id()) };
        let name = schema.name.clone();
        apart(async move {
            let client = connect(&server()).await;
            client.batch_execute(&format!("CREATE SCHEMA {name}")).await.unwrap();
        });
        schema
    }

    pub(in crate::store) fn url(&self) -> String {
        format!("{}?options=-c%20search_path%3D{}", server(), self.name)
    }

    /// Another node on the same database.
    pub(in crate::store) fn open(&self) -> Postgres {
        Postgres::open(Address::parse(&self.url(), None, None).unwrap(), Mode::Daemon).unwrap()
    }
}

fn server() -> String {
    #[expect(clippy::disallowed_methods, reason = "where the server is, is no setting of the program")]
    std::env::var("KASSEBRO_TEST_POSTGRES").expect(
        "KASSEBRO_TEST_POSTGRES is not set: run `tests/run`, or take the servers of `tests/run --services`",
    )
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::runtime::Handle::current().spawn(connection);
    client
}

/// Runs it on a runtime of its own, wherever the caller stands.
fn apart<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(future)
    };
    std::thread::spawn(run).join().unwrap()
}
