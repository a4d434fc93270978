// Package pyocpp lets an independent OCPP library, the Python package ocpp, be the CSMS above the product and the stations of
// OCPP 2.0.1 and 1.6 below it, with a CSMS that is killed in between. It needs a Python with the packages ocpp and websockets;
// VOLTYARD_OCPP_PYTHON names one, and python3 is the default.
package pyocpp
