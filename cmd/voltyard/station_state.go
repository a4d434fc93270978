package main

import (
	"fmt"
	"os"
	"path/filepath"

	role "github.com/voltyard/voltyard/protocols/ocpp/station"
	"github.com/voltyard/voltyard/storage/bolt"
	"github.com/voltyard/voltyard/storage/keyring"
)

// stationDisk keeps what one simulated station knows, by its identity.
type stationDisk struct {
	db     *bolt.DB
	bucket string
}

// openState opens the folder of simulated stations; only one process may have it.
func openState(dir, id string) (stationDisk, keyring.Ring, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return stationDisk{}, nil, fmt.Errorf("state of the station: %w", err)
	}
	db, err := bolt.Open(filepath.Join(dir, "station.db"))
	if err != nil {
		return stationDisk{}, nil, fmt.Errorf("state of the station: %w", err)
	}
	keys, err := keyring.OpenDir(filepath.Join(dir, "keys"))
	if err != nil {
		_ = db.Close() // nothing was written
		return stationDisk{}, nil, err
	}
	return stationDisk{db, id}, keys, nil
}

// Load reads everything.
func (d stationDisk) Load() (map[string][]byte, error) {
	list, err := d.db.Scan(d.bucket, nil)
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, kv := range list {
		out[string(kv.Key)] = kv.Value
	}
	return out, nil
}

// Save writes all or nothing.
func (d stationDisk) Save(ops []role.Op) error {
	var out []bolt.Op
	for _, op := range ops {
		out = append(out, bolt.Op{Bucket: d.bucket, Key: []byte(op.Key), Value: op.Value})
	}
	return d.db.Apply(out)
}
