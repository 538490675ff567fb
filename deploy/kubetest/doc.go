// Package kubetest installs the Helm chart in ../helm for real: in a Kubernetes
// control plane that is one program, on stand-in nodes that run the pods of a trial as
// processes, in namespaces of the kernel that the test makes for itself. It uses
// Helm 3 and Helm 4, and pays while releases change.
//
// README.md says how to run it. Without the flag -kube nothing happens.
//
// It is a module of its own, pinned to the minor version of Kubernetes that
// ../charttest renders for, so that nobody else inherits Kubernetes.
package kubetest
