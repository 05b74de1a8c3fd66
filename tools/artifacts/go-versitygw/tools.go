//go:build tools

// Package tools names the object store's gateway, so that go.sum pins its module and all that it needs.
package tools

import _ "github.com/versity/versitygw/cmd/versitygw"
