//! Enrolment tokens: known by the digest of their secret, good once, until they expire or are revoked.

use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};
use sixgate_reason::{self as reason, Reason};

use crate::clients::{self, Client};
use crate::{Error, Store, decode, encode};

/// SHA-256 of the secret -> [`Token`] in JSON.
pub(crate) const TOKENS: TableDefinition<'static, &[u8; 32], &[u8]> = TableDefinition::new("tokens");
/// Seconds for which a token that is of no use any more is still listed.
const LISTED: u64 = 30 * 86_400;

/// What a token is made for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewToken {
    /// The client's name to be.
    pub name: String,
    /// Whom it is for.
    pub user: Option<String>,
    /// For the policy.
    pub groups: Vec<String>,
}

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The first eight hexadecimal digits of the digest: for lists and for revoking.
    pub id: String,
    /// The client's name to be.
    pub name: String,
    /// Whom it is for.
    pub user: Option<String>,
    /// For the policy.
    pub groups: Vec<String>,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// From when on it is worth nothing.
    pub expires: u64,
    /// When a client enrolled with it.
    pub used: Option<u64>,
    /// It was taken back.
    pub revoked: bool,
}

/// Whether a token is good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenState {
    /// Good for one enrolment.
    Unused,
    /// A client enrolled with it.
    Used,
    /// Its time is over.
    Expired,
    /// Taken back.
    Revoked,
}

impl Token {
    /// Whether it is good at `now`.
    #[must_use]
    pub fn state(&self, now: u64) -> TokenState {
        match self {
            Self { used: Some(_), .. } => TokenState::Used,
            Self { revoked: true, .. } => TokenState::Revoked,
            Self { expires, .. } if *expires <= now => TokenState::Expired,
            Self { .. } => TokenState::Unused,
        }
    }
}

impl Store {
    /// Remembers a token that was made. Tokens that have been of no use for a month are forgotten on the way.
    ///
    /// # Errors
    /// Of the file.
    pub fn add_token(
        &self,
        digest: [u8; 32],
        new: &NewToken,
        now: u64,
        expires: u64,
    ) -> Result<Token, Error> {
        let token = Token {
            id: digest[..4].iter().map(|octet| format!("{octet:02x}")).collect(),
            name: new.name.clone(),
            user: new.user.clone(),
            groups: new.groups.clone(),
            created: now,
            expires,
            used: None,
            revoked: false,
        };
        let write = self.database.begin_write()?;
        {
            let mut table = write.open_table(TOKENS)?;
            table.retain(|_, bytes| {
                decode::<Token>(bytes).is_ok_and(|old| old.expires.max(old.used.unwrap_or(0)) + LISTED > now)
            })?;
            table.insert(&digest, encode(&token)?.as_slice())?;
        }
        write.commit()?;
        Ok(token)
    }

    /// Uses a token up and makes it a client, both or neither. `issue` makes the client's record, and may refuse: then
    /// the token stays good.
    ///
    /// # Errors
    /// Outer: of the file. Inner: why the token is refused ([`reason::TOKEN_UNKNOWN`], [`reason::TOKEN_USED`],
    /// [`reason::TOKEN_EXPIRED`], [`reason::TOKEN_REVOKED`]), or what `issue` says.
    pub fn enrol(
        &self,
        digest: [u8; 32],
        now: u64,
        issue: impl FnOnce(&Token) -> Result<Client, Reason>,
    ) -> Result<Result<Client, Reason>, Error> {
        // There is one writer at a time: whoever comes second finds the token used.
        let write = self.database.begin_write()?;
        let outcome = {
            let mut table = write.open_table(TOKENS)?;
            let found = table.get(&digest)?.map(|bytes| decode::<Token>(bytes.value())).transpose()?;
            match judge(found, now).and_then(|token| issue(&token).map(|client| (token, client))) {
                Ok((token, client)) => {
                    let used = Token { used: Some(now), ..token };
                    table.insert(&digest, encode(&used)?.as_slice())?;
                    Ok(clients::replace(&write, client)?)
                }
                Err(reason) => Err(reason),
            }
        };
        if outcome.is_ok() {
            write.commit()?;
        } else {
            write.abort()?;
        }
        Ok(outcome)
    }

    /// Every token that is remembered, by the time it was made.
    ///
    /// # Errors
    /// Of the file.
    pub fn tokens(&self) -> Result<Vec<Token>, Error> {
        let read = self.database.begin_read()?;
        let table = read.open_table(TOKENS)?;
        let mut tokens = Vec::new();
        for entry in table.iter()? {
            tokens.push(decode::<Token>(entry?.1.value())?);
        }
        tokens.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        Ok(tokens)
    }

    /// Takes back the unused token with the id `name`, or all unused tokens of the client `name`; gives how many.
    ///
    /// # Errors
    /// Of the file.
    pub fn revoke_tokens(&self, name: &str) -> Result<u64, Error> {
        let write = self.database.begin_write()?;
        let mut revoked = 0;
        {
            let mut table = write.open_table(TOKENS)?;
            let mut hit = Vec::new();
            for entry in table.iter()? {
                let (digest, bytes) = entry?;
                let token: Token = decode(bytes.value())?;
                if (token.id == name || token.name == name) && token.used.is_none() && !token.revoked {
                    hit.push((*digest.value(), Token { revoked: true, ..token }));
                }
            }
            for (digest, token) in hit {
                table.insert(&digest, encode(&token)?.as_slice())?;
                revoked += 1;
            }
        }
        write.commit()?;
        Ok(revoked)
    }
}

fn judge(found: Option<Token>, now: u64) -> Result<Token, Reason> {
    let token = found.ok_or(reason::TOKEN_UNKNOWN)?;
    match token.state(now) {
        TokenState::Unused => Ok(token),
        TokenState::Used => Err(reason::TOKEN_USED),
        TokenState::Expired => Err(reason::TOKEN_EXPIRED),
        TokenState::Revoked => Err(reason::TOKEN_REVOKED),
    }
}
