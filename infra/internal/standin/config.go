package standin

import (
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Config is the config of a Pulumi.<stack>.yaml as Pulumi hands it to a program: by full
// names, and JSON where it is no text.
func Config(text []byte) (map[string]string, error) {
	var file struct{ Config map[string]any }
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	values := map[string]string{}
	for key, value := range file.Config {
		if s, ok := value.(string); ok {
			values[key] = s
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("read config: %w", err)
		}
		values[key] = string(text)
	}
	return values, nil
}
