"""A vehicle's TLS 1.2 client that sends trusted_ca_keys (RFC 6066), with libssl.

usage: vehicle.py HOST PORT CAFILE SHA1...   (SHA-1 hashes of root certificates, hexadecimal, in order of preference)
Prints one line: verify result, suite, SHA-256 of the server's certificate.
"""
import ctypes
import ctypes.util
import hashlib
import socket
import sys

ssl = ctypes.CDLL(ctypes.util.find_library("ssl") or "libssl.so.3")
crypto = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")
P, I, S = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p


def use(lib, name, result, *args):
    f = getattr(lib, name)
    f.restype, f.argtypes = result, args
    return f


ADD = ctypes.CFUNCTYPE(I, P, ctypes.c_uint, ctypes.POINTER(P), ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(I), P)

host, port, ca, hashes = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]
entries = b"".join(b"\x03" + bytes.fromhex(h) for h in hashes)  # cert_sha1_hash
extension = ctypes.create_string_buffer(len(entries).to_bytes(2, "big") + entries, len(entries) + 2)


@ADD
def add(_ssl, _kind, out, length, _alert, _arg):
    out[0] = ctypes.cast(extension, P).value
    length[0] = len(entries) + 2
    return 1


ctx = use(ssl, "SSL_CTX_new", P, P)(use(ssl, "TLS_client_method", P)())
use(ssl, "SSL_CTX_ctrl", ctypes.c_long, P, I, ctypes.c_long, P)(ctx, 124, 0x0303, None)  # at most TLS 1.2
assert use(ssl, "SSL_CTX_set_cipher_list", I, P, S)(ctx, b"ECDHE-ECDSA-AES128-SHA256") == 1
assert use(ssl, "SSL_CTX_load_verify_locations", I, P, S, S)(ctx, ca.encode(), None) == 1
assert use(ssl, "SSL_CTX_add_client_custom_ext", I, P, ctypes.c_uint, ADD, P, P, P, P)(ctx, 3, add, None, None, None, None) == 1
conn = use(ssl, "SSL_new", P, P)(ctx)
sock = socket.create_connection((host, port), timeout=20)
sock.setblocking(True)
use(ssl, "SSL_set_fd", I, P, I)(conn, sock.fileno())
if use(ssl, "SSL_connect", I, P)(conn) != 1:
    sys.exit("the handshake failed")
said = b"a message of a vehicle"
assert use(ssl, "SSL_write", I, P, S, I)(conn, said, len(said)) == len(said)
heard = ctypes.create_string_buffer(len(said))
assert use(ssl, "SSL_read", I, P, P, I)(conn, heard, len(said)) == len(said) and heard.raw == said
cert = use(ssl, "SSL_get1_peer_certificate", P, P)(conn)
size = use(crypto, "i2d_X509", I, P, P)(cert, None)
der = ctypes.create_string_buffer(size)
at = P(ctypes.addressof(der))
use(crypto, "i2d_X509", I, P, P)(cert, ctypes.byref(at))
name = use(ssl, "SSL_CIPHER_get_name", S, P)(use(ssl, "SSL_get_current_cipher", P, P)(conn))
print(use(ssl, "SSL_get_verify_result", ctypes.c_long, P)(conn), name.decode(), hashlib.sha256(der.raw).hexdigest())
