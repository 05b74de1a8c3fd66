//go:build tools

// Package tools names the backup engine, so that go.sum pins its module and all that it needs.
package tools

import _ "github.com/restic/restic/cmd/restic"
