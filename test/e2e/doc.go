// Package e2e tests parts of a site that work together, most of them in virtual time.
package e2e
