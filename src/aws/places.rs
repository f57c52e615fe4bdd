//! The services that know who this process is: the token service, the agent of a container, the metadata of an instance.

use std::fs;
use std::net::IpAddr;

use ureq::http::Uri;
use zeroize::Zeroizing;

use super::environment::Environment;
use super::error::AwsError;
use super::fetch::{Errand, Question};
use super::identity::Identity;
use super::signature::encode;

const TOKEN_SERVICE: &str = "the token service of AWS";
const CONTAINER: &str = "the credentials service of the container";
const INSTANCE: &str = "the metadata service of the instance";
/// Where relative addresses of containers lead to.
const CONTAINER_HOST: &str = "http://169.254.170.2";
/// Hosts that may be asked without TLS, beside those of this machine.
const CONTAINER_HOSTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];
const INSTANCE_HOSTS: [&str; 2] = ["http://169.254.169.254", "http://[fd00:ec2::254]"];
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
/// Most bytes of a file with a token.
const LONGEST_TOKEN: u64 = 65_536;

/// What the token service lends for the token in a file, as in a pod with a role.
pub fn web_identity(environment: &Environment, region: &str, errand: &Errand) -> Result<Identity, AwsError> {
    let missing = |variable| AwsError::Variable { variable, why: "it is not set".to_owned() };
    let role = environment.get("AWS_ROLE_ARN").ok_or(missing("AWS_ROLE_ARN"))?;
    let token = token_of_file(environment, "AWS_WEB_IDENTITY_TOKEN_FILE")?;
    let token = token.ok_or(missing("AWS_WEB_IDENTITY_TOKEN_FILE"))?;
    let session = environment.get("AWS_ROLE_SESSION_NAME").unwrap_or("flagstone");
    let body = Zeroizing::new(format!(
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn={}&RoleSessionName={}&WebIdentityToken={}",
        encode(role),
        encode(session),
        encode(&token)
    ));
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let url = environment
        .get("AWS_ENDPOINT_URL_STS")
        .map_or_else(|| format!("https://sts.{region}.{domain}/"), str::to_owned);
    let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/xml")];
    let question = Question { place: TOKEN_SERVICE, method: "POST", url: &url, headers: &headers, body: &body };
    Identity::from_xml(TOKEN_SERVICE, &errand.ask(&question)?)
}

/// Where the container is told who it is, if it is.
pub fn container_url(environment: &Environment) -> Result<Option<String>, AwsError> {
    if let Some(path) = environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
        return match path.starts_with('/') {
            true => Ok(Some(format!("{CONTAINER_HOST}{path}"))),
            false => Err(AwsError::Variable {
                variable: "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                why: "it does not begin with /".to_owned(),
            }),
        };
    }
    let Some(url) = environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI") else { return Ok(None) };
    let refused =
        |why: &str| AwsError::Variable { variable: "AWS_CONTAINER_CREDENTIALS_FULL_URI", why: why.to_owned() };
    let parsed: Uri = url.parse().map_err(|_| refused("it is no URL"))?;
    match (parsed.scheme_str(), parsed.host()) {
        (Some("https"), Some(_)) => Ok(Some(url.to_owned())),
        (Some("http"), Some(host)) if is_near(host) => Ok(Some(url.to_owned())),
        (Some("http"), Some(_)) => Err(refused("without https it must lead to this machine or to an agent of AWS")),
        _ => Err(refused("it is no URL of http or https")),
    }
}

fn is_near(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_local = host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    is_local || host.eq_ignore_ascii_case("localhost") || CONTAINER_HOSTS.contains(&host)
}

/// What the agent of the container lends.
pub fn container(environment: &Environment, url: &str, errand: &Errand) -> Result<Identity, AwsError> {
    let of_file = token_of_file(environment, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")?;
    let token = of_file.as_ref().map(|token| token.as_str()).or(environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN"));
    if token.is_some_and(|token| token.contains(['\r', '\n'])) {
        let why = "it has more than one line".to_owned();
        return Err(AwsError::Variable { variable: "AWS_CONTAINER_AUTHORIZATION_TOKEN", why });
    }
    let headers: Vec<(&str, &str)> = token.map(|token| ("Authorization", token)).into_iter().collect();
    let question = Question { place: CONTAINER, method: "GET", url, headers: &headers, body: "" };
    Identity::from_json(CONTAINER, &errand.ask(&question)?)
}

/// What the instance lends by its role. The first version of the service, which gives it to whoever asks, is not asked.
pub fn instance(environment: &Environment, errand: &Errand) -> Result<Identity, AwsError> {
    let is_v6 =
        environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE").is_some_and(|mode| mode.eq_ignore_ascii_case("ipv6"));
    let usual = INSTANCE_HOSTS[usize::from(is_v6)];
    let host = environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or(usual).trim_end_matches('/');
    let ask = |method, path: &str, headers: &[(&str, &str)]| {
        let url = format!("{host}{path}");
        errand.ask(&Question { place: INSTANCE, method, url: &url, headers, body: "" })
    };
    let token = ask("PUT", "/latest/api/token", &[("X-aws-ec2-metadata-token-ttl-seconds", "21600")]);
    let token = match token {
        Err(AwsError::Silent { why, .. }) if environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT").is_none() => {
            // Most likely there is no instance.
            return Err(AwsError::Silent { place: "no identity in the environment, and the metadata service", why });
        }
        outcome => outcome?,
    };
    let headers = [("X-aws-ec2-metadata-token", token.trim())];
    let unusable = |why| AwsError::Unusable { place: INSTANCE, why };
    let roles = match ask("GET", ROLES, &headers) {
        Err(AwsError::Status { status: 404, .. }) => return Err(unusable("no role is attached to the instance")),
        roles => roles?,
    };
    let role = roles.lines().next().map(str::trim).filter(|role| !role.is_empty());
    let role = role.ok_or(unusable("no role is attached to the instance"))?;
    Identity::from_json(INSTANCE, &ask("GET", &format!("{ROLES}{}", encode(role)), &headers)?)
}

/// The token in the file that a variable names.
fn token_of_file(environment: &Environment, variable: &'static str) -> Result<Option<Zeroizing<String>>, AwsError> {
    let Some(path) = environment.get(variable) else { return Ok(None) };
    let refused = |why: String| AwsError::Variable { variable, why };
    let of = fs::metadata(path).map_err(|error| refused(format!("{path} cannot be read: {error}")))?;
    if !of.is_file() || of.len() > LONGEST_TOKEN {
        return Err(refused(format!("{path} is no file with a token")));
    }
    let text = fs::read_to_string(path).map_err(|error| refused(format!("{path} cannot be read: {error}")))?;
    let text = Zeroizing::new(text);
    Ok(Some(Zeroizing::new(text.trim().to_owned())))
}
