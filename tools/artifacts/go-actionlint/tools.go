//go:build tools

// Package tools names the linter of workflows, so that go.sum pins its module and all that it needs.
package tools

import _ "github.com/rhysd/actionlint/cmd/actionlint"
