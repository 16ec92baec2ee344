//! A password for a new device. *Whether a user exists changes neither the
//! answer nor what it costs.*

use std::net::IpAddr;

use super::{
    Auth, Inner, SignedIn, network,
    register::{is_secret_of, label, new_device},
    stored,
};
use crate::{
    cache::limits::Rule,
    model::*,
    problem::{Code, Problem},
    store::Account,
};

impl Auth {
    /// Refuses with `rate_limited`, `bad_credentials`, or `forbidden` when the
    /// account is disabled (and the password right).
    pub async fn login(&self, request: LoginRequest, from: IpAddr) -> Result<SignedIn, Problem> {
        let auth = &self.inner;
        let username = text::username(&request.username)?;
        let password = text::password(request.password.expose())?;
        let label = label(request.device_label.as_deref())?;

        let account = auth.store.account_by_username(&username).await.map_err(stored)?;
        let known = auth.known_device(account.as_ref(), &request).await?;
        let counts = auth.counts(&username, known, from);
        for (key, rule) in &counts {
            auth.take(key, *rule).await?;
        }
        let hash = account.as_ref().map(|account| account.password_hash.as_str());
        let right = auth.passwords.verify(&password, hash).await?;
        let wrong = || Problem::new(Code::BadCredentials, "Wrong username or password.");
        let account = account.filter(|_| right).ok_or_else(wrong)?;
        if account.disabled {
            return Err(Problem::forbidden("This account has been disabled."));
        }
        // Taken before, so that guesses at the same time are counted too.
        for (key, rule) in &counts {
            auth.give_back(key, *rule).await;
        }
        let (device, device_secret) = new_device(account.user.id, label, auth.now())?;
        // Checking took a while: the password may be another one by now.
        let most = auth.settings.max_devices;
        let gone = auth.store.create_device(&device, &account, most).await.map_err(stored)?;
        let displaced = !gone.ok_or_else(wrong)?.is_empty();
        let signed_in = auth.signed_in(account.user, account.token_epoch, device, device_secret)?;
        Ok(SignedIn { displaced, ..signed_in })
    }
}

impl Inner {
    /// The earlier device of this account that the request proves to come
    /// from. One that was signed out counts: that is when one logs in again.
    async fn known_device(
        &self,
        account: Option<&Account>,
        request: &LoginRequest,
    ) -> Result<Option<DeviceId>, Problem> {
        let (Some(id), Some(secret)) = (request.device_id, &request.device_secret) else {
            return Ok(None);
        };
        let device = self.store.device_state(id).await.map_err(stored)?;
        let known = device.is_some_and(|device| {
            is_secret_of(secret, &device.secret_hash)
                && account.is_some_and(|account| account.user.id == device.user_id)
        });
        Ok(known.then_some(id))
    }

    /// What this attempt counts against. A stranger uses up the account's and
    /// their own address' attempts, never those of a device known to it.
    fn counts(&self, username: &str, known: Option<DeviceId>, from: IpAddr) -> Vec<(String, Rule)> {
        let rates = &self.settings.rates;
        match known {
            Some(device) => vec![(format!("login:device:{device}"), rates.login_per_device)],
            None => vec![
                (format!("login:address:{}", network(from)), rates.login_per_address),
                (
                    format!("login:account:{}", username.to_ascii_lowercase()),
                    rates.login_per_account,
                ),
            ],
        }
    }
}
