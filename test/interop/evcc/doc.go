// Package evcc has a vehicle written by others charge at a running site: the Python package iso15118 (with its Java codec), on a
// virtual Ethernet link into a network namespace of its own. It needs root, Debian's iproute2 and Java, and a Python that has
// the packages iso15118 and aiofile: VOLTYARD_EVCC_PYTHON names it.
package evcc
