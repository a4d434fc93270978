// Package schemasets gathers all generated message packages behind one table,
// for tools that handle any of them: the command line, the capture lister, the
// vector checks and the fuzz targets. State machines know which protocol they
// speak and use its package directly.
package schemasets
