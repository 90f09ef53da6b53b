// One slice as a flat picture: v_world runs in voxels, across and down.
uniform sampler2D u_lights;
uniform vec3 u_counts;   // voxels across, down and deep
uniform vec3 u_origin;   // the voxel in the top left corner
uniform vec3 u_across;   // one voxel further to the right, and one further down
uniform vec3 u_down;
uniform float u_cell;    // pixels per voxel
uniform vec3 u_rest;     // a voxel without light
uniform vec3 u_cross;    // over a voxel that is cut out
varying vec2 v_world;

void main() {
    vec2 within = floor(v_world);
    vec3 cell = u_origin + within.x * u_across + within.y * u_down;
    vec2 size = vec2(u_counts.x, u_counts.y * u_counts.z);
    vec4 found = texture2D(u_lights, vec2(cell.x + 0.5, cell.z * u_counts.y + cell.y + 0.5) / size);
    vec2 f = v_world - within;
    vec2 edge = min(f, 1.0 - f) * u_cell;
    float rule = 1.0 - clamp(min(edge.x, edge.y), 0.0, 1.0);
    vec3 colour = max(found.rgb, u_rest) * (1.0 - 0.45 * rule * smoothstep(14.0, 28.0, u_cell));
    float dead = 1.0 - step(0.25, found.a);
    float cross = min(abs(f.x - f.y), abs(f.x + f.y - 1.0)) * u_cell * 0.7071;
    float stroke = clamp(max(0.5, 0.06 * u_cell) + 0.5 - cross, 0.0, 1.0) * smoothstep(3.0, 6.0, u_cell);
    gl_FragColor = vec4(mix(colour, u_cross, dead * stroke), 1.0);
}
