package redact

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.yaml.in/yaml/v3"
)

// secretHolder has a secret everywhere a struct can have one.
type secretHolder struct {
	Exported Secret
	Pointer  *Secret
	Nested   struct{ Inner Secret }
	List     []Secret
	ByName   map[string]Secret
	Any      any
	hidden   Secret
	deep     struct{ hidden *Secret }
}

func newSecretHolder(s Secret) secretHolder {
	h := secretHolder{Exported: s, Pointer: &s, List: []Secret{s}, ByName: map[string]Secret{"k": s}, Any: s, hidden: s}
	h.Nested.Inner = s
	h.deep.hidden = &s
	return h
}

func TestSecretIn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		secret, text string
		want         bool
	}{
		{"s3cret", "s3cret", true}, {"s3cret", "a s3cret b", true}, {"s3cret", "secret", false}, {"s3cret", "", false}, {"abc", "abc", false}, {"", "", false},
	} {
		if got := NewSecret(test.secret).In(test.text); got != test.want {
			t.Errorf("%q in %q = %v", test.secret, test.text, got)
		}
	}
}

func TestSecretCannotBeShown(t *testing.T) {
	t.Parallel()
	const value = "hunter2hunter2"
	secret := NewSecret(value)
	holder := newSecretHolder(secret)
	shown := map[string]func() string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%t", "%T", "%p", "%e", "%U", "%c", "%10s", "%-10v|", "%!"} {
		shown["fmt "+verb] = func() string {
			return fmt.Sprintf(verb, secret) + fmt.Sprintf(verb, &secret) + fmt.Sprintf(verb, holder) + fmt.Sprintf(verb, &holder)
		}
	}
	shown["Sprint"] = func() string { return fmt.Sprint(secret, holder) + fmt.Sprintln(secret) }
	shown["Errorf"] = func() string { return fmt.Errorf("no %w: %v", errors.New("x"), holder).Error() }
	shown["String"] = func() string { return secret.String() + secret.GoString() }
	shown["JSON"] = func() string {
		b, err := json.Marshal(holder)
		return fmt.Sprint(string(b), err)
	}
	shown["JSON key"] = func() string {
		b, err := json.Marshal(map[Secret]int{secret: 1})
		return fmt.Sprint(string(b), err)
	}
	shown["YAML"] = func() string {
		b, err := yaml.Marshal(map[string]any{"a": secret, "b": holder.Nested})
		return fmt.Sprint(string(b), err)
	}
	shown["text"] = func() string {
		b, err := secret.MarshalText()
		return fmt.Sprint(string(b), err)
	}
	shown["gob"] = func() string {
		var b bytes.Buffer
		err := gob.NewEncoder(&b).Encode(struct{ S Secret }{secret})
		return fmt.Sprint(b.String(), err)
	}
	shown["slog"] = func() string {
		var b bytes.Buffer
		slog.New(slog.NewTextHandler(&b, nil)).Info("x", "secret", secret, "holder", holder)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "secret", secret, "holder", holder)
		return b.String()
	}
	shown["zap"] = func() string {
		var b bytes.Buffer
		for _, encoder := range []zapcore.Encoder{
			zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()),
			zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig()),
		} {
			log := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&b), zap.DebugLevel))
			log.Info("x", zap.Any("a", secret), zap.Any("b", holder), zap.Reflect("c", holder), zap.Stringer("d", secret), zap.Any("e", []any{secret}))
			log.Sugar().Infow("x", "a", secret, "b", &holder)
			log.Sugar().Infof("%v %+v", secret, holder)
		}
		return b.String()
	}
	for name, show := range shown {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := show()
			for _, form := range []string{value, fmt.Sprintf("%x", value), fmt.Sprintf("%X", value), fmt.Sprintf("% x", value)} {
				if strings.Contains(got, form) {
					t.Errorf("shows the secret: %s", got)
				}
			}
		})
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if got := fmt.Sprintf(verb, secret); got != "[redacted]" {
			t.Errorf("%s = %q, want [redacted]", verb, got)
		}
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	a, b, zero := NewSecret("a"), NewSecret("a"), NewSecret("")
	if got := a.Reveal(); got != "a" {
		t.Errorf("Reveal = %q, want a", got)
	}
	if !a.Equal(b) || a.Equal(NewSecret("b")) || a.Equal(zero) || !zero.Equal(Secret{}) {
		t.Error("Equal does not compare values")
	}
	if !zero.IsZero() || a.IsZero() || zero.Reveal() != "" {
		t.Error("IsZero is not about the empty secret")
	}
}
