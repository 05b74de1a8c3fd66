//go:build tools

// Package tools names the Node language host, so that go.sum pins its module and all that it needs.
package tools

import _ "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs"
