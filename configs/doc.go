// Package configs is the site file: its types, strict loading, validation with line, caret and advice, and the example
// sites that are built into the binary.
//
// A file is read once at start and again on a reload; the result is never changed. Secrets are never in the file: it names
// the files that hold them. Everything is checked before anything starts, so that an installer sees all mistakes at once.
package configs
