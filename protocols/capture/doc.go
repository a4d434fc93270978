// Package capture finds the messages of vehicle communication in recorded
// network traffic: it reads pcap and pcapng files, takes Ethernet, IP, UDP and
// TCP apart, puts TCP streams together again, decrypts TLS 1.2 and 1.3 where the
// keys are known, and splits the streams into V2GTP messages.
//
// It works on readers and byte slices. The command line lists captures with it,
// and tests replay recorded sessions.
package capture
