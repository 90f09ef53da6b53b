// The line of sight through a pixel and the body of voxels that it may meet. Lengths along it are in edges of the body,
// places on it in voxels. u_lights holds the layers one under the other, as the first pass shaded them.
uniform sampler2D u_lights;
uniform vec3 u_eye;      // the camera, in voxels
uniform vec3 u_forward;  // where it looks and how it is held: unit vectors along the grid's axes
uniform vec3 u_right;
uniform vec3 u_up;
uniform vec3 u_counts;   // voxels across, down and deep
uniform float u_edge;    // voxels of the longest edge
uniform vec3 u_planes;   // where the slices lie, in voxels; negative for none
varying vec2 v_world;    // across and down the pane, at distance 1

const float NEVER = 1e9;

vec3 line_of_sight() {
    vec3 line = normalize(u_forward + v_world.x * u_right - v_world.y * u_up) * u_edge;
    return line + step(abs(line), vec3(1e-6)) * 2e-6;
}

// Where the line enters the body and where it leaves it; it misses the body if that is no later.
vec2 span(vec3 line) {
    vec3 low = -u_eye / line;
    vec3 high = (u_counts - u_eye) / line;
    vec3 first = min(low, high);
    vec3 last = max(low, high);
    return vec2(max(max(first.x, first.y), first.z), min(min(last.x, last.y), last.z));
}

float within(float place, vec2 inside) {
    return place >= inside.x && place <= inside.y ? place : NEVER;
}

// Where the line first meets a slice inside the body.
float first_slice(vec3 line, vec2 inside) {
    vec3 place = (u_planes - u_eye) / line;
    float x = u_planes.x < 0.0 ? NEVER : within(place.x, inside);
    float y = u_planes.y < 0.0 ? NEVER : within(place.y, inside);
    float z = u_planes.z < 0.0 ? NEVER : within(place.z, inside);
    return min(x, min(y, z));
}

vec4 voxel(vec3 place) {
    vec3 cell = clamp(floor(place), vec3(0.0), u_counts - 1.0);
    return texture2D(u_lights, vec2(cell.x + 0.5, cell.z * u_counts.y + cell.y + 0.5) / vec2(u_counts.x, u_counts.y * u_counts.z));
}

// Between the middles of the eight voxels round a place; at the faces of the body they go on as they are.
vec4 blend(vec3 place) {
    vec2 size = vec2(u_counts.x, u_counts.y * u_counts.z);
    vec2 at = clamp(place.xy, vec2(0.5), u_counts.xy - 0.5);
    float deep = clamp(place.z - 0.5, 0.0, u_counts.z - 1.0);
    float layer = min(floor(deep), max(u_counts.z - 2.0, 0.0));
    float next = min(layer + 1.0, u_counts.z - 1.0);
    vec4 here = texture2D(u_lights, vec2(at.x, layer * u_counts.y + at.y) / size);
    vec4 there = texture2D(u_lights, vec2(at.x, next * u_counts.y + at.y) / size);
    return mix(here, there, deep - layer);
}
