package subjects_test

import (
	"fmt"

	"github.com/posbridge/bridge/subjects"
)

// An order's subject, and the order of a subject.
func Example() {
	space := subjects.Default()
	subject, err := space.Of("T1", "2026/11.7", subjects.Status)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(subject)
	terminal, order, kind, err := space.Parse(subject)
	fmt.Println(terminal, order, kind, err)
	// Output:
	// pos.T1.2026%2F11%2E7.status
	// T1 2026/11.7 status <nil>
}
