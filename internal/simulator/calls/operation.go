// Package calls is what can be asked of the provider, and how often it was.
package calls

// Operation is one thing that can be asked of the provider.
type Operation string

// The operations.
const (
	OpCreate    Operation = "create"
	OpGet       Operation = "get"
	OpCancel    Operation = "cancel"
	OpPatch     Operation = "patch"
	OpTerminals Operation = "terminals"
	OpReceipt   Operation = "receipt"
	OpStream    Operation = "stream"
)

// Operations lists every operation.
func Operations() []Operation {
	return []Operation{OpCreate, OpGet, OpCancel, OpPatch, OpTerminals, OpReceipt, OpStream}
}
