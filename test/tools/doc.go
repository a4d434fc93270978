// Package tools keeps the linters in a module of their own, so that their dependencies stay out of the product's.
package tools
