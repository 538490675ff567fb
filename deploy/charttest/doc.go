// Package charttest checks the Helm chart in ../helm: it lints and renders it
// with Helm's own code, decodes every object strictly into the Kubernetes API
// types, holds the pods to the Pod Security Standard "restricted", and holds
// every alert and every panel to the metrics that the built binary exports.
//
// It is a module of its own, so that nobody who imports the bridge's packages
// inherits Helm, Kubernetes and Prometheus.
//
//	go test ./...           # in this folder
//	go test ./... -update   # writes testdata/golden anew
package charttest
