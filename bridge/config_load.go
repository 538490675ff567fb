package bridge

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/kelseyhightower/envconfig"
)

// LoadConfig reads the environment. It fails with *ConfigError. A variable that
// is set to nothing counts as not set, unless nothing has a meaning (AFTERCARE).
func LoadConfig() (Config, error) {
	values, err := environment()
	if err != nil {
		return Config{}, &ConfigError{Problems: []string{"the environment cannot be read"}}
	}
	return configOf(values)
}

// Defaults is the configuration of a replica for which nothing but the key is
// set: where a program runs a bridge of its own.
func Defaults(apiKey string) (Config, error) {
	return configOf(map[string]string{"API_KEY": apiKey})
}

// environment returns the values of the variables that are set, by name without
// the prefix. Each variable is a field of a struct that is made from the table,
// because envconfig reads into structs. The fields are strings: envconfig would
// show the raw value in its errors and would stop at the first one.
func environment() (map[string]string, error) {
	fields := make([]reflect.StructField, len(variables))
	for i, v := range variables {
		// The field has the variable's name. With a tag instead, envconfig would also
		// read the name without the prefix.
		fields[i] = reflect.StructField{Name: v.Name, Type: reflect.TypeFor[*string]()}
	}
	env := reflect.New(reflect.StructOf(fields))
	if err := envconfig.Process(EnvPrefix, env.Interface()); err != nil {
		return nil, fmt.Errorf("read environment: %w", err)
	}
	values := map[string]string{}
	for i, v := range variables {
		if value, ok := env.Elem().Field(i).Interface().(*string); ok && value != nil {
			values[v.Name] = *value
		}
	}
	return values, nil
}

// configOf makes a configuration of the values that are set.
func configOf(values map[string]string) (Config, error) {
	var c Config
	r := reader{set: map[string]string{}}
	for _, v := range variables {
		value, set := values[v.Name]
		value = strings.TrimSpace(value)
		switch {
		case set && (value != "" || v.emptyCounts):
			r.set[v.Name] = value
		default:
			value = v.Default
		}
		if value != "" || v.emptyCounts {
			v.parse(&r, v.Name, value, &c)
		}
	}
	r.key(&c)
	r.compare(&c)
	if len(r.problems) > 0 {
		return Config{}, &ConfigError{Problems: r.problems}
	}
	return c, nil
}
