//! Which certificates count as authorities of clients, and until when.

use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerifier as _;

use super::*;
use crate::tls::authorities::Authorities;

/// An authority that is valid from the first day of a year until that of another.
fn authority(from: i32, until: i32) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = valid(from, until);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

#[test]
fn only_authorities_that_are_valid_now_are_taken() {
    let (cert, key) = pair(&CertificateParams::default());
    let (cert, key) = (cert.pem(), key.serialize_pem());
    let open_for = |client_ca: &str| open(&cert, &key, Some(client_ca)).1;
    let good = authority(2000, 2900).pem();
    let expired = authority(2000, 2001).pem();
    let no_authority = |is_ca, usages: &[KeyUsagePurpose]| {
        let mut params = CertificateParams::default();
        params.is_ca = is_ca;
        params.key_usages = usages.to_vec();
        pair(&params).0.pem()
    };
    let unconstrained = IsCa::Ca(BasicConstraints::Unconstrained);
    open_for(&good).unwrap();
    open_for(&(expired.clone() + &good)).unwrap();
    for (client_ca, problem) in [
        (no_authority(IsCa::ExplicitNoCa, &[]), "is no authority's"),
        (no_authority(IsCa::NoCa, &[]), "is no authority's"),
        (
            no_authority(unconstrained, &[KeyUsagePurpose::DigitalSignature]),
            "is no authority's",
        ),
        (good + &cert, "is no authority's"),
        (expired, "has expired; it is valid from 2000-01-01T"),
        (authority(2900, 2901).pem(), "is not valid yet"),
    ] {
        let error = open_for(&client_ca).unwrap_err();
        assert_eq!(error.option, "tls_client_ca");
        assert!(error.problem.contains(problem), "{error}");
    }
}

#[test]
fn an_authority_is_taken_until_it_expires() {
    let authorities = [authority(2000, 2100), authority(2000, 2200)];
    let pem: String = authorities.iter().map(CertifiedIssuer::pem).collect();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let file = OptionFile::new("tls_client_ca", "ca.pem");
    let read = Authorities::read(&file, pem.as_bytes(), ClientAuth::Required, provider).unwrap();
    assert_eq!(read.first_expiry(SystemTime::now()), Some(4_102_444_800));
    for (signer, authority) in authorities.iter().enumerate() {
        let mut params = valid(2000, 2900);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let client = params.signed_by(&KeyPair::generate().unwrap(), authority);
        let client = client.unwrap().der().clone();
        for (at, is_taken) in [
            (4_102_444_800, [true, true]),
            (4_102_444_801, [false, true]),
        ] {
            let at = UnixTime::since_unix_epoch(Duration::from_secs(at));
            let taken = read.verify_client_cert(&client, &[], at);
            assert_eq!(taken.is_ok(), is_taken[signer], "{signer} {at:?}");
        }
    }
}
