// Package sample is generated from a schema made up to contain every construct
// the generator knows. Only the generator's tests use it.
package sample
