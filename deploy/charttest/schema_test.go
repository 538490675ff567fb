package charttest

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// freeMaps are those whose keys are the user's own.
var freeMaps = map[string]bool{
	"global": true, "podSpec": true, "tests.podSpec": true, "nats.server.podSpec": true, "simulator.podSpec": true,
	"deploymentAnnotations": true, "serviceAccount.labels": true, "service.labels": true, "autoscaling.behavior": true,
	"webhook.route.annotations": true, "console.route.annotations": true, "console.ingress.annotations": true,
	"tests.resources.requests": true, "tests.resources.limits": true,
	"commonLabels": true, "commonAnnotations": true, "podAnnotations": true, "podLabels": true, "nodeSelector": true,
	"affinity": true, "podSecurityContext": true, "securityContext": true,
	"serviceAccount.annotations": true, "service.annotations": true,
	"resources.requests": true, "resources.limits": true,
	"nats.server.resources.requests": true, "nats.server.resources.limits": true,
	"simulator.resources.requests": true, "simulator.resources.limits": true,
	"metrics.serviceMonitor.labels": true, "metrics.prometheusRule.labels": true, "metrics.prometheusRule.alertLabels": true,
	"metrics.dashboard.labels": true, "metrics.dashboard.annotations": true,
}

// A misspelt value fails, at every level at which the chart knows the names.
func TestMisspeltValueFails(t *testing.T) {
	t.Parallel()
	defaults := decode[map[string]any](t, readFile(t, chartDir+"/values.yaml"))
	var levels []string
	var walk func(path string, v map[string]any)
	walk = func(path string, v map[string]any) {
		if freeMaps[path] {
			return
		}
		levels = append(levels, path)
		for k, child := range v {
			if m, ok := child.(map[string]any); ok {
				walk(strings.TrimPrefix(path+"."+k, "."), m)
			}
		}
	}
	walk("", defaults)
	slices.Sort(levels)
	for _, level := range levels {
		path := strings.TrimPrefix(level+".replicaCuont", ".")
		if _, err := render(t, set(path, 3)); err == nil || !strings.Contains(err.Error(), "replicaCuont") {
			t.Errorf("%s was taken: %v", path, err)
		}
	}
	if len(levels) < 25 {
		t.Errorf("looked at %d levels only: %v", len(levels), levels)
	}
}

// Values out of range, of the wrong type, or against each other are refused
// with words that name them.
func TestBadValuesFail(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		values map[string]any
		want   string
	}{
		"text for a number":      {set("replicaCount", "three"), "replicaCount"},
		"no duration":            {set("config.replicaTTL", "10"), "replicaTTL"},
		"negative drain":         {set("config.drainTimeout", "-1s"), "drainTimeout"},
		"drain of nothing":       {set("config.drainTimeout", "0s"), "config.drainTimeout must be a duration greater than zero"},
		"no drain":               {set("config.drainTimeout", ""), "drainTimeout"},
		"two copies":             {set("config.jetstreamReplicas", 2), "jetstreamReplicas"},
		"wildcard prefix":        {set("config.subjectPrefix", "pos.*"), "subjectPrefix"},
		"password in the url":    {set("nats.url", "nats://user:secret@host:4222"), "put the address into a Secret"},
		"http for NATS":          {set("nats.url", "http://nats"), "url"},
		"log level":              {set("config.logLevel", "trace"), "logLevel"},
		"digest":                 {set("image.digest", "sha256:abc"), "digest"},
		"margin":                 {set("terminationMarginSeconds", 0), "terminationMarginSeconds"},
		"creds and nkey":         {merge(set("nats.creds.secretName", "a"), set("nats.nkey.secretName", "b")), "exclude each other"},
		"url twice":              {merge(set("nats.url", "nats://a"), set("nats.urlSecret.name", "b")), "exclude each other"},
		"trial and own server":   {merge(set("nats.url", "nats://a"), set("nats.enabled", true)), "nats.enabled installs a NATS server for a trial"},
		"trial with copies":      {merge(set("config.jetstreamReplicas", 3), set("nats.enabled", true)), "config.jetstreamReplicas must be 1 with nats.enabled"},
		"simulator and api":      {merge(set("provider.apiURL", "https://a"), set("simulator.enabled", true)), "provider.apiURL must be empty with simulator.enabled"},
		"simulator and groups":   {merge(set("provider.terminalGroups.secretName", "a"), set("simulator.enabled", true)), "provider.terminalGroups.secretName must be empty with simulator.enabled"},
		"a setting in extraEnv":  {set("extraEnv", []any{map[string]any{"name": "BRIDGE_DRAIN_TIMEOUT", "value": "60s"}}), "extraEnv must not have BRIDGE_DRAIN_TIMEOUT"},
		"aftercare that is none": {set("config.aftercare", "15s"), "aftercare"},
		"webhook of http":        {set("webhook.url", "http://till.example.com"), "url"},
		"ingress to nowhere":     {merge(set("webhook.enabled", true), set("webhook.ingress.enabled", true)), "webhook.ingress needs webhook.url"},
		"webhook at the console": {merge(set("webhook.enabled", true), set("webhook.port", 8080)), "the port of the console"},
		"no key":                 {set("provider.apiKey.secretName", ""), "the key for the provider is missing"},
		"min above max":          {merge(set("autoscaling.enabled", true), set("autoscaling.minReplicas", 20)), "greater than"},
		"unknown alert":          {merge(set("metrics.prometheusRule.enabled", true), set("metrics.prometheusRule.disabled", []any{"PosBridgeDwon"})), "no alert \"PosBridgeDwon\""},
		"balancer for everybody": {set("service.type", "LoadBalancer"), "lets everybody reach probes, metrics and console"},
		"balancer without token": {merge(set("service.type", "LoadBalancer"), set("console.enabled", false), set("console.tokenSecretName", "a")), "lets everybody reach probes, metrics and console"},
		"ranges for nothing":     {set("service.loadBalancerSourceRanges", []any{"10.0.0.0/8"}), "needs service.type LoadBalancer"},
		"console to everybody":   {merge(set("console.ingress.enabled", true), set("console.ingress.host", "a")), "need console.tokenSecretName"},
		"console to nowhere":     {merge(set("console.ingress.enabled", true), set("console.tokenSecretName", "a")), "needs console.ingress.host"},
		"route to nowhere":       {set("webhook.route.enabled", true), "webhook.route needs webhook.enabled and webhook.url"},
		"family":                 {set("service.ipFamilyPolicy", "Both"), "ipFamilyPolicy"},
		"store above the volume": {merge(set("nats.enabled", true), set("nats.server.persistence.size", "900M")), "nats.server.maxFileStore (1Gi) is more than nats.server.persistence.size (900M)"},
		"variable twice":         {set("extraEnv", []any{map[string]any{"name": "A", "value": "1"}, map[string]any{"name": "A", "value": "2"}}), "extraEnv has A twice"},
		"tag that is rounded":    {set("image.tag", 1.1), "tag"},
		"dns on no port":         {set("networkPolicy.dns.ports", []any{}), "ports"},
		"runbook with an anchor": {set("metrics.prometheusRule.runbookURL", "https://a/b#c"), "runbookURL"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := render(t, test.values)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret@") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

// Every value of values.yaml is in the schema, and the other way round, so that
// neither hides what the other knows.
func TestValuesAndSchemaAgree(t *testing.T) {
	t.Parallel()
	type node struct {
		Properties  map[string]node `json:"properties"`
		Ref         string          `json:"$ref"`
		Definitions map[string]node `json:"definitions"`
	}
	var schema node
	if err := yaml.Unmarshal([]byte(readFile(t, chartDir+"/values.schema.json")), &schema); err != nil {
		t.Fatal(err)
	}
	defaults := decode[map[string]any](t, readFile(t, chartDir+"/values.yaml"))
	// Known to the schema and left out of values.yaml for a reason.
	unlisted := map[string]bool{}
	for _, pod := range []string{"", "tests.", "nats.server.", "simulator."} {
		unlisted[pod+"resources.claims"] = true
	}
	var walk func(path string, s node, v map[string]any)
	walk = func(path string, s node, v map[string]any) {
		for _, k := range slices.Sorted(maps.Keys(s.Properties)) {
			p := strings.TrimPrefix(path+"."+k, ".")
			child, ok := v[k]
			if !ok {
				if !unlisted[p] && !strings.HasPrefix(p, "probes.") {
					t.Errorf("%s is in values.schema.json, not in values.yaml", p)
				}
				continue
			}
			below := s.Properties[k]
			if name, ok := strings.CutPrefix(below.Ref, "#/definitions/"); ok {
				below = schema.Definitions[name]
			}
			if m, ok := child.(map[string]any); ok && len(below.Properties) > 0 {
				walk(p, below, m)
			}
		}
	}
	walk("", schema, defaults)
}
