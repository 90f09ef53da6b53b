// Second pass: the shaded neurons enlarged, with gaps between the tiles and a number above each.
uniform sampler2D u_lights;
uniform sampler2D u_digits;
uniform vec2 u_corner;   // top left of the screen, in neurons
uniform vec2 u_atlas;    // size of u_lights
uniform vec2 u_tile;
uniform vec2 u_pitch;
uniform vec2 u_inset;
uniform float u_columns;
uniform float u_layers;
uniform float u_cell;    // pixels per neuron
uniform float u_digit;   // pixels per glyph pixel, 0 for no numbers
uniform float u_hover;   // layer under the pointer, 0 for none
uniform vec3 u_page;
uniform vec3 u_label;
uniform vec3 u_accent;
uniform vec3 u_cross;    // over a neuron that is cut out
uniform vec4 u_region;   // rectangle being drawn, in neurons: left, top, right, bottom; none if right < left
varying vec2 v_world;

const vec2 GLYPH = vec2(5.0, 7.0);
const float ADVANCE = 6.0;
const float LIFT = 4.0;

// 1 inside a digit of the layer's number; `at` in whole pixels from the tile's top-left corner.
float number(float layer, vec2 at) {
    vec2 p = floor((at + vec2(0.5, 0.5 + LIFT + GLYPH.y * u_digit)) / u_digit);
    float count = 1.0 + step(9.5, layer) + step(99.5, layer) + step(999.5, layer);
    float place = floor(p.x / ADVANCE);
    float column = p.x - place * ADVANCE;
    if (p.x < 0.0 || p.y < 0.0 || p.y >= GLYPH.y || place >= count || column >= GLYPH.x) {
        return 0.0;
    }
    float digit = mod(floor((layer + 0.5) / pow(10.0, count - 1.0 - place) + 0.0001), 10.0);
    return texture2D(u_digits, vec2((digit * GLYPH.x + column + 0.5) / (10.0 * GLYPH.x), (p.y + 0.5) / GLYPH.y)).r;
}

void main() {
    vec2 slot = floor(v_world / u_pitch);
    float layer = slot.y * u_columns + slot.x + 1.0;
    vec3 colour = u_page;
    if (slot.x >= 0.0 && slot.x < u_columns && slot.y >= 0.0 && layer < u_layers + 0.5) {
        vec2 local = v_world - slot * u_pitch - u_inset;
        float hovered = 1.0 - step(0.5, abs(layer - u_hover));
        vec2 inside = clamp(min(local, u_tile - local) * u_cell + 0.5, 0.0, 1.0);
        if (inside.x * inside.y > 0.0) {
            vec2 cell = clamp(floor(local), vec2(0.0), u_tile - 1.0);
            vec2 f = local - cell;
            vec2 blend = clamp(f * u_cell, 0.0, 0.5) + clamp((f - 1.0) * u_cell + 0.5, 0.0, 0.5);
            vec2 at = slot * u_tile + clamp(cell + blend, vec2(0.5), u_tile - 0.5);
            vec3 light = texture2D(u_lights, at / u_atlas).rgb;
            vec2 edge = min(f, 1.0 - f) * u_cell;
            float line = 1.0 - clamp(min(edge.x, edge.y), 0.0, 1.0);
            vec2 nearest = edge.x < edge.y ? vec2(sign(f.x - 0.5), 0.0) : vec2(0.0, sign(f.y - 0.5));
            vec2 beside = slot * u_tile + clamp(cell + nearest, vec2(0.0), u_tile - 1.0) + 0.5;
            vec4 own = texture2D(u_lights, (slot * u_tile + cell + 0.5) / u_atlas);
            // No line inside a neuron that is magnified over several places.
            line *= step(0.001, distance(own, texture2D(u_lights, beside / u_atlas)));
            light *= 1.0 - 0.45 * line * smoothstep(14.0, 28.0, u_cell);
            float dead = 1.0 - step(0.25, own.a);
            float cross = min(abs(f.x - f.y), abs(f.x + f.y - 1.0)) * u_cell * 0.7071;
            float stroke = clamp(max(0.5, 0.06 * u_cell) + 0.5 - cross, 0.0, 1.0) * smoothstep(3.0, 6.0, u_cell);
            light = mix(light, u_cross, dead * stroke);
            colour = mix(colour, light, inside.x * inside.y);
        } else {
            vec2 away = max(-local, local - u_tile) * u_cell;
            float distance = max(away.x, away.y);
            float ring = hovered * step(1.0, distance) * step(distance, 2.5);
            colour = mix(colour, u_accent, ring);
            if (u_digit > 0.5) {
                vec2 pixel = floor((v_world - u_corner) * u_cell);
                vec2 corner = floor((slot * u_pitch + u_inset - u_corner) * u_cell + 0.5);
                colour = mix(colour, mix(u_label, u_accent, hovered), number(layer, pixel - corner));
            }
        }
    }
    vec2 within = min(v_world - u_region.xy, u_region.zw - v_world) * u_cell;
    float depth = min(within.x, within.y);
    if (u_region.z >= u_region.x && depth > -1.0) {
        colour = mix(colour, u_accent, depth < 1.0 ? 0.9 : 0.14);
    }
    gl_FragColor = vec4(colour, 1.0);
}
