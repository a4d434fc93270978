// Package xsdgen turns XML schemas into Go codecs for the EXI profile of
// ISO 15118 and DIN 70121.
//
// It works in three steps, each in files of its own: xsd*.go read schema
// documents into components (elements, types, attributes), grammar*.go derive
// from each complex type the sequence of slots that its EXI grammar consists
// of, and emit*.go write Go source. The command in cmd drives it for all
// schema sets the project uses; nothing else calls this package.
//
// Whatever a schema contains that the generator has no answer for is an
// error, never a guess.
package xsdgen

//go:generate go test -count=1 -run TestSamplePackage -update .
//go:generate go run ./cmd -schemas $SCHEMAS/iso15118 -out ../../../iso15118
