// Flags that a test sets: a data source without a server. What a flag means, and which version it has, is the library's affair;
// FlagBuilder composes the JSON.
using System;
using System.Collections.Generic;
using System.Text.Json;
using Flagstone.Handles;
using Flagstone.Interop;

namespace Flagstone;

/// <summary>
/// Flags and segments that a test sets, for any number of clients (<see cref="FlagstoneOptions.TestData"/>); they have each change
/// when the call returns, after a second at the latest. Any thread may set.
/// </summary>
/// <remarks>
/// Disposing gives back what this object holds; clients go on with the data they have. Every method then throws
/// <see cref="ObjectDisposedException"/>.
/// </remarks>
/// <example>
/// <code>
/// using TestData data = new();
/// data.Update(data.Flag("new-checkout").VariationForUser("ada", true).FallthroughVariation(false));
/// await using FlagstoneClient client = new(new FlagstoneOptions { TestData = data });
/// </code>
/// </example>
public sealed class TestData : IDisposable
{
    private readonly TestDataHandle _handle;
    private readonly object _lock = new();

    /// <summary>The builders that were committed last.</summary>
    private readonly Dictionary<string, FlagBuilder> _builders = new(StringComparer.Ordinal);

    /// <summary>Makes test data without any item.</summary>
    /// <exception cref="FlagstoneLibraryException">The native library is missing or is another one.</exception>
    public TestData()
    {
        NativeLoader.EnsureLoaded();
        _handle = new TestDataHandle(NativeMethods.flagstone_test_data_new());
    }

    /// <summary>
    /// A copy of the builder that was committed last under this key; else a new one, of a boolean flag that is on and true for
    /// everybody. Nothing changes before <see cref="Update"/>.
    /// </summary>
    /// <param name="key">Key of the flag; checked by <see cref="Update"/>.</param>
    /// <returns>A builder.</returns>
    public FlagBuilder Flag(string key)
    {
        _ = key ?? throw new ArgumentNullException(nameof(key));
        lock (_lock)
        {
            return _builders.TryGetValue(key, out FlagBuilder? committed) ? committed.Copy() : new FlagBuilder(key);
        }
    }

    /// <summary>Sets the flag that a builder describes. Its version is raised. The builder may be changed and used again.</summary>
    /// <param name="builder">The builder.</param>
    /// <returns>These data.</returns>
    /// <exception cref="ArgumentException">The flag cannot be, for example because it has no key.</exception>
    public TestData Update(FlagBuilder builder)
    {
        _ = builder ?? throw new ArgumentNullException(nameof(builder));
        byte[] json = Utf8.Encode(builder.ToJson(), nameof(builder));
        lock (_lock)
        {
            Set(NativeCodes.KindFlag, json, nameof(builder));
            _builders[builder.Key] = builder.Copy();
        }
        return this;
    }

    /// <summary>
    /// Adds or replaces a flag, given as LaunchDarkly's JSON. Its version is raised above the previous one if it is not higher.
    /// </summary>
    /// <param name="json">JSON text.</param>
    /// <returns>These data.</returns>
    /// <exception cref="ArgumentException">It is no flag.</exception>
    public TestData SetFlag(string json)
    {
        byte[] bytes = Utf8.Encode(json ?? throw new ArgumentNullException(nameof(json)), nameof(json));
        lock (_lock)
        {
            Set(NativeCodes.KindFlag, bytes, nameof(json));
            // The library has found a key.
            _builders.Remove(JsonValue.Parse(bytes).GetProperty("key").GetString()!);
        }
        return this;
    }

    /// <summary>As <see cref="SetFlag(string)"/>.</summary>
    /// <param name="flag">The flag.</param>
    /// <returns>These data.</returns>
    /// <exception cref="ArgumentException">It is no flag.</exception>
    public TestData SetFlag(JsonElement flag) => SetFlag(JsonText.Of(flag));

    /// <summary>As <see cref="SetFlag(string)"/>, for a segment.</summary>
    /// <param name="json">JSON text.</param>
    /// <returns>These data.</returns>
    /// <exception cref="ArgumentException">It is no segment.</exception>
    public TestData SetSegment(string json)
    {
        Set(NativeCodes.KindSegment, Utf8.Encode(json ?? throw new ArgumentNullException(nameof(json)), nameof(json)), nameof(json));
        return this;
    }

    /// <summary>As <see cref="SetSegment(string)"/>.</summary>
    /// <param name="segment">The segment.</param>
    /// <returns>These data.</returns>
    /// <exception cref="ArgumentException">It is no segment.</exception>
    public TestData SetSegment(JsonElement segment) => SetSegment(JsonText.Of(segment));

    /// <summary>Deletes a flag; also one that was never there.</summary>
    /// <param name="key">Its key.</param>
    /// <returns>These data.</returns>
    /// <exception cref="ArgumentException">The key is no text.</exception>
    public TestData DeleteFlag(string key)
    {
        _ = key ?? throw new ArgumentNullException(nameof(key));
        lock (_lock)
        {
            Delete(NativeCodes.KindFlag, key);
            _builders.Remove(key);
        }
        return this;
    }

    /// <summary>Deletes a segment; also one that was never there.</summary>
    /// <param name="key">Its key.</param>
    /// <returns>These data.</returns>
    /// <exception cref="ArgumentException">The key is no text.</exception>
    public TestData DeleteSegment(string key)
    {
        Delete(NativeCodes.KindSegment, key ?? throw new ArgumentNullException(nameof(key)));
        return this;
    }

    /// <summary>
    /// Makes every client that uses these data report this state of its data source. Changes go on to be delivered. The other arguments
    /// tell of the failure behind <see cref="DataSourceState.Interrupted"/> and <see cref="DataSourceState.Off"/>.
    /// </summary>
    /// <param name="state">
    /// <see cref="DataSourceState.Valid"/>, <see cref="DataSourceState.Interrupted"/> or <see cref="DataSourceState.Off"/>.
    /// </param>
    /// <param name="errorKind">Kind of the failure.</param>
    /// <param name="httpStatus">HTTP status; null for none.</param>
    /// <param name="message">For people.</param>
    /// <returns>These data.</returns>
    /// <exception cref="ArgumentException">Another state, or an unknown kind.</exception>
    public unsafe TestData SetStatus(
        DataSourceState state,
        DataSourceErrorKind errorKind = DataSourceErrorKind.Unknown,
        int? httpStatus = null,
        string message = "")
    {
        byte[] bytes = Utf8.Encode(message ?? throw new ArgumentNullException(nameof(message)), nameof(message));
        using Use use = new(_handle);
        IntPtr error = IntPtr.Zero;
        fixed (byte* pointer = bytes)
        {
            int status = NativeMethods.flagstone_test_data_set_status(
                use.Native, (int)state, (int)errorKind, httpStatus ?? 0, pointer, (nuint)bytes.Length, &error);
            NativeResult.Check(status, error, nameof(state));
        }
        return this;
    }

    /// <summary>Gives back what this object holds. May be called again.</summary>
    public void Dispose() => _handle.Dispose();

    /// <summary>Makes the clients of a configuration take their flags from these data.</summary>
    internal unsafe void GiveTo(ConfigHandle config)
    {
        using Use use = new(_handle);
        IntPtr error = IntPtr.Zero;
        int status = NativeMethods.flagstone_config_set_test_data(config.DangerousGetHandle(), use.Native, &error);
        GC.KeepAlive(config);
        NativeResult.Check(status, error, "options");
    }

    private unsafe void Set(int kind, byte[] json, string argument)
    {
        using Use use = new(_handle);
        IntPtr error = IntPtr.Zero;
        fixed (byte* pointer = json)
        {
            int status = NativeMethods.flagstone_test_data_set_json(use.Native, kind, pointer, (nuint)json.Length, &error);
            NativeResult.Check(status, error, argument);
        }
    }

    private unsafe void Delete(int kind, string key)
    {
        byte[] bytes = Utf8.Encode(key, nameof(key));
        using Use use = new(_handle);
        IntPtr error = IntPtr.Zero;
        fixed (byte* pointer = bytes)
        {
            int status = NativeMethods.flagstone_test_data_delete(use.Native, kind, pointer, (nuint)bytes.Length, &error);
            NativeResult.Check(status, error, nameof(key));
        }
    }

    /// <summary>The native test data, protected from <see cref="TestData.Dispose"/> meanwhile.</summary>
    private readonly ref struct Use
    {
        private readonly TestDataHandle _handle;

        internal Use(TestDataHandle handle)
        {
            bool acquired = false;
            try
            {
                handle.DangerousAddRef(ref acquired);
            }
            catch (ObjectDisposedException)
            {
                throw new ObjectDisposedException(nameof(TestData));
            }
            _handle = handle;
        }

        internal IntPtr Native => _handle.DangerousGetHandle();

        public void Dispose() => _handle.DangerousRelease();
    }
}
