// First pass: one fragment per neuron. The target holds the tiles edge to edge, u_columns in a row; the sources hold
// one layer per row, as the engine wrote them. Alpha is 0 where a neuron is cut out, elsewhere 0.5 to 1 by the light
// of its nudge, whether blue is on or off.
uniform sampler2D u_activation;
uniform sampler2D u_velocity;
uniform sampler2D u_nudge;
uniform sampler2D u_flags;
uniform vec2 u_tile;     // neurons across and down a tile
uniform vec2 u_source;   // neurons per layer, layers
uniform float u_columns;
uniform vec3 u_scale;    // 1 / value at full light
uniform vec3 u_floor;    // values up to here are dark
uniform vec3 u_log;      // 1 for a logarithmic channel
uniform vec3 u_on;
uniform float u_decades;
uniform float u_highlight;
uniform vec3 u_red;
uniform vec3 u_green;
uniform vec3 u_blue;
uniform vec3 u_rest;     // a neuron without light
uniform vec3 u_dead;     // a neuron that is cut out
uniform vec3 u_page;     // no neuron here

const vec3 WHITE = vec3(1.0);
const float SKIPPED = 0.45;  // the red that is left of a neuron that sent nothing
const vec3 BROKEN = vec3(1.0, 0.0, 0.85);

float bit(float flags, float value) {
    return step(0.5, mod(floor(flags / value), 2.0));
}

void main() {
    vec2 texel = floor(gl_FragCoord.xy);
    vec2 slot = floor((texel + 0.5) / u_tile);
    vec2 cell = texel - slot * u_tile;
    float layer = slot.y * u_columns + slot.x;
    if (layer > u_source.y - 0.5) {
        gl_FragColor = vec4(0.0);
        return;
    }
    vec2 at = vec2(cell.y * u_tile.x + cell.x + 0.5, layer + 0.5) / u_source;
    vec3 value = abs(vec3(texture2D(u_activation, at).r, texture2D(u_velocity, at).r, texture2D(u_nudge, at).r));
    float flags = floor(texture2D(u_flags, at).r * 255.0 + 0.5);

    vec3 linear = clamp(value * u_scale, 0.0, 1.0);
    vec3 decades = clamp(1.0 + log2(max(value * u_scale, 1e-20)) * 0.30103 / u_decades, 0.0, 1.0);
    vec3 above = clamp(value / max(u_floor, 1e-30) - 1.0, 0.0, 1.0);
    vec3 light = mix(linear, decades, u_log) * above;
    float thought = 0.5 + 0.5 * light.b;
    light *= u_on;
    light.r *= mix(1.0, SKIPPED, bit(flags, 8.0));

    vec3 colour = min(light.r * u_red + light.g * u_green + light.b * u_blue, 1.0);
    colour = max(colour, u_rest);
    float swing = mix(0.3, 0.85, linear.g);
    float white = max(0.4 * bit(flags, 1.0), swing * bit(flags, 2.0)) * u_highlight;
    colour = mix(colour, WHITE, white);
    float dead = bit(flags, 16.0);
    colour = mix(colour, u_dead, dead);
    float alpha = thought * (1.0 - dead);
    if (bit(flags, 4.0) > 0.5) {
        colour = BROKEN;
        alpha = 1.0 - dead;
    }
    if (bit(flags, 32.0) > 0.5) {
        colour = u_page;
    }
    gl_FragColor = vec4(colour, alpha);
}
