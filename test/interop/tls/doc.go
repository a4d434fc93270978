// Package tls proves the TLS towards vehicles, and the certificates of `voltyard pki init`, with libraries written by others:
// OpenSSL (s_client, verify, ocsp), GnuTLS (gnutls-cli), and libssl driven from Python, because no command line sends
// trusted_ca_keys with a list in it. Where one of them is not installed, its test is skipped.
package tls
