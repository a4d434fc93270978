// Package exificient makes the golden EXI vectors that the project carries, and
// checks them again: it invents XML documents for every message and fragment,
// lets EXIficient encode them, and compares the outcome with the committed file.
//
//	go test ./test/interop/exificient            # compare
//	go test ./test/interop/exificient -update    # write the vectors anew
//
// It needs Java 17, Maven (which fetches EXIficient once) and the schemas, and
// skips without them.
package exificient
