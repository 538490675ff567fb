package check_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/posbridge/bridge/bridge"
)

// The defaults that values.yaml shows in brackets are those of the bridge.
func TestTheChartShowsTheDefaults(t *testing.T) {
	t.Parallel()
	_, config, _ := strings.Cut(read(t, "../../deploy/helm/values.yaml"), "\nconfig:\n")
	config, _, _ = strings.Cut(config, "\n\n")
	standards := map[string]string{}
	for _, v := range bridge.Variables() {
		standards[strings.ReplaceAll(v.Name, "_", "")] = v.Default
	}
	rows := regexp.MustCompile(`(?m)^  (\w+): .*# \[([^\]]*)\]`).FindAllStringSubmatch(config, -1)
	for _, row := range rows {
		got := strings.ReplaceAll(row[2], ", ", ",")
		if want, ok := standards[strings.ToUpper(row[1])]; !ok || got != want {
			t.Errorf("config.%s: shown as [%s], the bridge's default is [%s]", row[1], got, want)
		}
	}
	if len(rows) < 14 {
		t.Errorf("saw only %d defaults", len(rows))
	}
}
