// Enlarges the light that cast.frag collected and puts the slices behind it, at the resolution of the screen.
uniform sampler2D u_cast;
uniform vec2 u_corner;   // of v_world
uniform vec2 u_span;
uniform vec2 u_used;     // texels of u_cast that hold the picture
uniform vec2 u_room;     // all its texels
uniform vec3 u_rest;     // a voxel without light, on a slice

void main() {
    vec2 at = (v_world - u_corner) / u_span;
    vec2 texel = clamp(vec2(at.x, 1.0 - at.y) * u_used, vec2(0.5), u_used - 0.5);
    vec4 seen = texture2D(u_cast, texel / u_room);
    vec3 line = line_of_sight();
    vec2 inside = span(line);
    float slice = first_slice(line, inside);
    if (slice < NEVER) {
        vec3 colour = max(voxel(u_eye + line * slice).rgb, u_rest);
        seen = vec4(seen.rgb + (1.0 - seen.a) * colour, 1.0);
    }
    gl_FragColor = seen;
}
