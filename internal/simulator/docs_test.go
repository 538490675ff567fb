package simulator_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/posbridge/bridge/internal/simulator/fault"
	"github.com/posbridge/bridge/internal/simulator/scenario"
)

// The tables of docs/simulator.md say what the code says.
func TestDocs(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/simulator.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, sc := range scenario.All() {
		statuses := strings.Join(sc.Statuses, ", ")
		if statuses == "" {
			statuses = "–"
		}
		want = append(want, fmt.Sprintf("| `%s` | `%s` | %s | %s |", sc.Amount, sc.Name, statuses, sc.Does))
	}
	for _, k := range fault.Kinds() {
		fields := "–"
		if len(k.Fields) > 0 {
			fields = "`" + strings.Join(k.Fields, "`, `") + "`"
		}
		want = append(want, fmt.Sprintf("| `%s` | %s %s | %s |", k.Name, k.Does, k.Imitates, fields))
		for _, mode := range k.Modes {
			want = append(want, "| `"+mode+"` |")
		}
	}
	for _, a := range scenario.Actions() {
		want = append(want, "| `"+string(a)+"` |")
	}
	missing := []string{}
	for _, row := range want {
		if !strings.Contains(string(raw), row) {
			missing = append(missing, row)
		}
	}
	if len(missing) > 0 {
		t.Errorf("docs/simulator.md lacks these rows:\n%s", strings.Join(missing, "\n"))
	}
}
