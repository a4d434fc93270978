// Package bolt is the site's database: one file of buckets of ordered keys, written in whole transactions.
//
// Only the recorder actor opens it in a running site; command-line tools open a file that no process runs on. A value
// read from it is a copy.
package bolt

import (
	"errors"
	"fmt"
	"os"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// Op is one write. A nil Value deletes the key.
type Op struct {
	Bucket string
	Key    []byte
	Value  []byte
}

// KV is one stored pair.
type KV struct {
	Key, Value []byte
}

// ErrInUse is the error for a database that another process holds.
var ErrInUse = errors.New("another process holds it")

// DB is an open database.
type DB struct {
	b *bbolt.DB
}

// Open opens the file, or begins a new one. It waits at most two seconds for another process that holds it.
func Open(path string) (*DB, error) {
	b, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 2 * time.Second, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		if errors.Is(err, bbolterrors.ErrTimeout) {
			return nil, fmt.Errorf("open database %s: %w; stop that one, or give this one its own --data directory", path, ErrInUse)
		}
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	return &DB{b: b}, nil
}

// Apply writes all ops in one transaction and returns when they are on disk, or none of them is.
func (d *DB) Apply(ops []Op) error {
	err := d.b.Update(func(tx *bbolt.Tx) error {
		for _, op := range ops {
			b, err := tx.CreateBucketIfNotExists([]byte(op.Bucket))
			if err != nil {
				return err
			}
			if op.Value == nil {
				err = b.Delete(op.Key)
			} else {
				err = b.Put(op.Key, op.Value)
			}
			if err != nil {
				return fmt.Errorf("key %q of %s: %w", op.Key, op.Bucket, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write database: %w", err)
	}
	return nil
}

// Scan returns all pairs of a bucket whose key begins with prefix, in key order.
func (d *DB) Scan(bucket string, prefix []byte) ([]KV, error) {
	var out []KV
	err := d.b.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		if b == nil {
			return nil
		}
		c := b.Cursor()
		for k, v := c.Seek(prefix); k != nil && hasPrefix(k, prefix); k, v = c.Next() {
			out = append(out, KV{append([]byte(nil), k...), append([]byte(nil), v...)})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read database bucket %s: %w", bucket, err)
	}
	return out, nil
}

func hasPrefix(b, prefix []byte) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == string(prefix)
}

// Size is the length of the file in bytes.
func (d *DB) Size() int64 {
	var n int64
	_ = d.b.View(func(tx *bbolt.Tx) error { n = tx.Size(); return nil })
	return n
}

// Close closes the file.
func (d *DB) Close() error { return d.b.Close() }

// Verify reads the whole file and reports the first thing that is wrong with it. A file that does not exist is good.
// The memory map of a damaged file can kill the process that reads it, so run it in a process of its own.
func Verify(path string) error {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	b, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 2 * time.Second, ReadOnly: true})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		err = ErrInUse
	}
	if err != nil {
		return fmt.Errorf("verify database %s: %w", path, err)
	}
	defer b.Close()
	return b.View(func(tx *bbolt.Tx) error {
		var first error
		for err := range tx.Check() {
			if first == nil {
				first = fmt.Errorf("verify database %s: %w", path, err)
			}
		}
		if first != nil {
			return first
		}
		return tx.ForEach(func(_ []byte, bk *bbolt.Bucket) error {
			return bk.ForEach(func(_, _ []byte) error { return nil })
		})
	})
}

// SetAside renames a file that cannot be read, so that a new one can be begun beside it, and returns its new name.
func SetAside(path string, now time.Time) (string, error) {
	to := fmt.Sprintf("%s.damaged-%s", path, now.UTC().Format("20060102T150405.000"))
	if err := os.Rename(path, to); err != nil {
		return "", fmt.Errorf("set damaged database aside: %w", err)
	}
	return to, nil
}
