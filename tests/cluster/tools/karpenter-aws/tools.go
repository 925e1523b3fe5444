//go:build tools

// Package tools names the package whose folder holds the definitions of AWS's custom resources: nothing is built of it.
package tools

import _ "github.com/aws/karpenter-provider-aws/pkg/apis"
