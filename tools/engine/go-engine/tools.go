//go:build tools

// Package tools names the engine's own command line, so that go.sum pins its module and all that it needs.
package tools

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
