// Package keyring proves storage/keyring with devices written by others: the PKCS#11 token SoftHSM2 and the TPM 2.0 emulator
// swtpm, both from Debian. Each passes the conformance suite and then serves TLS sessions of vehicles. Where they are not
// installed the tests are skipped; that of PKCS#11 needs a C compiler and builds itself with the tag pkcs11.
package keyring
