// Follows each line of sight through the body, at half the resolution of the screen. Voxels emit the colour that the
// first pass gave them and hide what lies behind them the more the brighter they are, so that dark ones are clear as
// glass and no sum of lights outshines the colours. Colour is premultiplied by alpha.
uniform float u_smooth;     // 1 to interpolate between voxels
uniform float u_brightest;  // 1 to keep the strongest light of each colour on the line
uniform float u_threshold;  // light of the nudge from which on a voxel is seen; negative for all
uniform float u_opacity;    // optical depth of an edge full of bright voxels
uniform vec2 u_weights;     // what red, and what green and blue count for it
uniform float u_step;       // length of a step, in edges, where it is interpolated

const int MOST = 512;
const float EDGE = 0.04;    // half the width of a cloud's rim, in light of the nudge

void main() {
    vec3 line = line_of_sight();
    vec2 inside = span(line);
    float end = u_opacity > 0.0 ? min(inside.y, first_slice(line, inside)) : 0.0;
    float at = max(inside.x, 0.0);
    float tiny = 1e-3 / u_edge;
    vec3 light = vec3(0.0);
    float clear = 1.0;
    for (int i = 0; i < MOST; i++) {
        if (at >= end - tiny || clear < 0.02) {
            break;
        }
        float next = at + u_step;
        if (u_smooth < 0.5) {
            vec3 cell = floor(u_eye + line * (at + tiny));
            vec3 walls = (cell + step(0.0, line) - u_eye) / line;
            next = max(min(min(walls.x, walls.y), walls.z), at + tiny);
        }
        next = min(next, end);
        vec3 place = u_eye + line * (0.5 * (at + next));
        vec4 found = u_smooth < 0.5 ? voxel(place) : blend(place);
        vec3 colour = found.rgb;
        if (u_threshold >= 0.0) {
            float thought = 2.0 * found.a - 1.0;
            float rim = u_smooth < 0.5 ? 0.004 : EDGE;
            colour *= smoothstep(u_threshold - rim, u_threshold + rim, thought);
        }
        if (u_brightest > 0.5) {
            light = max(light, colour);
        } else {
            float other = max(colour.g, colour.b);
            float density = max(u_weights.x * colour.r * colour.r, u_weights.y * other * other);
            float hidden = 1.0 - exp(-u_opacity * density * (next - at));
            light += clear * hidden * colour;
            clear *= 1.0 - hidden;
        }
        at = next;
    }
    if (u_brightest > 0.5) {
        light *= min(u_opacity, 1.0);
        clear = 1.0 - max(max(light.r, light.g), light.b);
    }
    gl_FragColor = vec4(light, 1.0 - clear);
}
